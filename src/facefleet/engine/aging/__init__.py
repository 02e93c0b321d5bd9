"""Another age for a face: the step and the built-in method."""
