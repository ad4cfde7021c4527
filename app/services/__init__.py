"""What the service does: launch, lifecycle, live stream, controls."""
