"""How training ends when it does not end well."""


class InputError(ValueError):
    """The spec, the dataset or the checkpoint does not fit: the message says what to change."""


class CheckpointError(RuntimeError):
    """A checkpoint cannot be written or read: the message says which, and what to do."""


class OutOfMemoryError(RuntimeError):
    """The device's memory does not hold the run: the message says which setting to lower, and by how much."""


class TrainingStopped(RuntimeError):  # noqa: N818  it is not always an error
    """Training ended early with a checkpoint: a person asked for it, or the controller's budget is used up."""

    def __init__(self, message: str, *, by_person: bool = False) -> None:
        super().__init__(message)
        self.by_person = by_person
