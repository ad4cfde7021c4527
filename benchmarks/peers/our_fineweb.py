"""Our side of `curation_fineweb.py`, as `python -m workers.curation` does it: `python our_fineweb.py SPEC.json OUT`."""

import sys
import tempfile
from pathlib import Path

from workers.curation.engine import prepare_engine
from workers.specs.curation import CurationSpec


def main() -> None:
    """Curate with a journal of its own: with one that rounds share, the second would take up what the first one did."""
    spec, out = CurationSpec.model_validate_json(Path(sys.argv[1]).read_text(encoding="utf-8")), Path(sys.argv[2])
    prepare_engine(spec)
    from workers.curation.pipeline import curate  # here: worker processes load their modules meanwhile
    from workers.reporter import MemoryReporter

    with tempfile.TemporaryDirectory(dir=out.parent) as journal:
        curate(spec, home=out.parent, out=out, reporter=MemoryReporter(), journal=Path(journal))


if __name__ == "__main__":
    main()
