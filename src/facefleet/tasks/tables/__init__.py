"""The database under the records: how it is opened, its tables, and the version of its schema."""
