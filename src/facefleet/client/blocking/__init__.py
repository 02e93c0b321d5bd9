"""The client for threads and scripts, derived from ``facefleet.client.aio`` by ``tools/derive_client.py``."""
