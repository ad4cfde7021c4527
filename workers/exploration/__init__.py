"""Exploration: what many runs say together."""
