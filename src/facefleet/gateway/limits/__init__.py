"""Limits how often somebody may ask, across all gateways of one service."""
