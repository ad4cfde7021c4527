"""Evaluation: a checkpoint -> scores with intervals, items kept."""
