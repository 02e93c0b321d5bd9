"""The steps of a fusion, one file each."""
