"""Maintains records, store and queue together: the sweeper, retention, and the actions of operators."""
