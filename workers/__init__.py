"""Everything that runs on a CPU or GPU worker, as plain Python functions."""
