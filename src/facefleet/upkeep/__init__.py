"""What keeps the service in order: the sweeper, retention, the operators' hands. It touches records, store and queue."""
