"""The client for asyncio. ``facefleet.client.blocking`` is derived from it by ``tools/derive_client.py``."""
