"""Commands for operators, on the records themselves."""
