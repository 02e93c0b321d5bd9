"""Do the work of each kind of task under a claim, one file a kind."""
