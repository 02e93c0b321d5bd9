"""Who may, what may not, what is marked."""
