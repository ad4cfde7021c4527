"""Monitoring: telemetry -> findings -> interventions -> verified outcome."""
