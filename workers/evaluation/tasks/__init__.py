"""Tasks: each gives items with scores, one file a kind."""
