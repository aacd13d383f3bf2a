"""Checking and mending queues: tape verify, tape repair."""
