"""The service: REST API, live stream, CLI and the embedded stack."""
