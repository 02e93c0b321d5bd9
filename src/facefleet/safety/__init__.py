"""Consent that must be attested before a fusion, and marks on everything that was generated."""
