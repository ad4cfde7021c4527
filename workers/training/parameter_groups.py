"""The optimizer's groups of parameters as a table, shown before the first step."""

from typing import Any

from torch import nn

from workers.training.optimizers import OptimizerSet

Row = dict[str, Any]
_HEAD = ("role", "optimizer", "tensors", "parameters", "rate x", "decay", "eps")


def list_groups(optimizers: OptimizerSet) -> list[Row]:
    """One row a group: its role, which optimizer has it, how many parameters, and what it is given."""
    rows = []
    for label, part in optimizers.parts.items():
        for group in part.param_groups:
            parameters: list[nn.Parameter] = group["params"]
            rows.append(
                {
                    "role": group.get("role", label),
                    "optimizer": label,
                    "num_tensors": len(parameters),
                    "num_parameters": sum(parameter.numel() for parameter in parameters),
                    "lr_factor": group.get("lr_factor", 1.0),
                    "weight_decay": group["weight_decay"],
                    "eps": group["eps"] if "betas" in group else None,
                }
            )
    return rows


def show_groups(rows: list[Row]) -> str:
    """The rows as text, in columns."""
    cells = [_HEAD]
    for row in rows:
        eps = "" if row["eps"] is None else f"{row['eps']:.3g}"
        sizes = (str(row["num_tensors"]), f"{row['num_parameters']:,}", f"{row['lr_factor']:.4g}")
        cells.append((row["role"], row["optimizer"], *sizes, f"{row['weight_decay']:.4g}", eps))
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return "\n".join("  ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)).rstrip() for line in cells)
