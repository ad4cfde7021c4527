"""Figures by layer as Parquet files, each written whole: `layers-BRANCH-STEP.parquet`."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

ROWS_A_FILE = 20_000
SERIES = (
    *("grad_norm", "weight_norm", "update_norm", "update_ratio", "activation_rms", "max_attention_logit"),
    *("dead_units", "attention_entropy", "effective_rank", "feature_speed"),
)
SCHEMA = pa.schema(
    [
        ("step", pa.int64()),
        ("branch", pa.int32()),
        ("part", pa.string()),
        ("layer", pa.int32()),
        *((name, pa.float64()) for name in SERIES),
        ("max_attention_logit_of_heads", pa.list_(pa.float32())),
    ]
)


class LayerFiles:
    """Gathers rows and writes them out file by file."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._rows: list[dict[str, Any]] = []

    def add(self, rows: list[dict[str, Any]]) -> None:
        """Keep rows of SCHEMA; a full file's worth of them is written. A roll-back begins a new file."""
        if self._rows and self._rows[0]["branch"] != rows[0]["branch"]:
            self.flush()
        self._rows += rows
        if len(self._rows) >= ROWS_A_FILE:
            self.flush()

    def flush(self) -> None:
        """Write what has gathered: beside, then renamed."""
        if not self._rows:
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        first = self._rows[0]
        path = self.folder / f"layers-{first['branch']:06d}-{first['step']:09d}.parquet"
        partial = path.with_suffix(".partial")
        pq.write_table(pa.Table.from_pylist(self._rows, SCHEMA), partial, compression="zstd")
        partial.replace(path)
        self._rows = []
