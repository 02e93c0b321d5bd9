"""The task record, its states and its table."""
