"""Release: a checkpoint -> a model that others can load."""
