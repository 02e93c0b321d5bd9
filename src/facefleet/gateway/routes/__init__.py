"""Answers the requests; one file for each resource."""
