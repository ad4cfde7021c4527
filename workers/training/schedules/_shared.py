"""What the schedules share."""


def warmup(step: int, warmup_steps: int) -> float:
    """Share of the peak rate in a linear warm-up: the first step is above 0, the last of the warm-up at 1."""
    return min((step + 1) / warmup_steps, 1.0) if warmup_steps else 1.0


def done_after_warmup(step: int, num_steps: int, warmup_steps: int) -> float:
    """Share of the steps after the warm-up that lie before `step`, in [0, 1)."""
    return (step - warmup_steps) / max(num_steps - warmup_steps, 1)
