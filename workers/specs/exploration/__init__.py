"""Exploration: many runs that are compared with one another."""

from workers.specs.exploration.ablation import AblationSpec

__all__ = ["AblationSpec"]
