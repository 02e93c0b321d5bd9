"""Reads and changes the task records, one file for each user: gateway, worker, sweeper, operators, retention."""
