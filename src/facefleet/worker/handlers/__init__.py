"""What each kind of task does under a claim, one file a kind."""
