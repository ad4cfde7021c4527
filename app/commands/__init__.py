"""Commands of the `headrace` CLI, one file per group."""
