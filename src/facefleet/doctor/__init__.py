"""Checks of everything that facefleet needs on a machine, and the contract that a machine is held to."""
