"""Gradient clipping, one file a kind."""
