"""Keeps the service in order: the sweeper, retention, the operators' hands, on records, store and queue together."""
