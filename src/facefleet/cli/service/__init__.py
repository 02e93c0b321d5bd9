"""Commands that run the programs of the service, or look at their settings."""
