"""Prefect flows: decorators around `workers`, and nothing else."""
