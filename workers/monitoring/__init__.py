"""Monitoring: telemetry -> findings -> interventions -> verified outcome."""

from workers.monitoring.controller import Controller, build_controller

__all__ = ["Controller", "build_controller"]
