"""Detectors: figures of a step in, sightings out. Pure state machines whose state is JSON."""
