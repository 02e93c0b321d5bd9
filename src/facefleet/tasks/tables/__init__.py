"""Opens the database of the records, defines its tables, and checks the version of its schema."""
