"""Migrations of the database. `python -m migrations upgrade head` brings it up to date."""
