"""Training: a dataset version -> checkpoints."""
