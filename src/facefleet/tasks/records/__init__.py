"""The records of tasks, one file for each who uses them: gateway, worker, sweeper, operators, retention."""
