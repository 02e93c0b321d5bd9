"""Processes on one machine: started, watched and stopped; the command line and the demo use it."""
