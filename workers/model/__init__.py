"""The model: SmolLM3 in plain PyTorch."""
