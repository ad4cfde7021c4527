"""Output folders that appear only when whole, and the errors that end a curation."""

import errno
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class CurationError(RuntimeError):
    """Curation cannot give a dataset; the message says why and what to do."""


class StoppedError(RuntimeError):
    """A person asked the run to stop."""


@contextmanager
def whole_folder(out: Path) -> Iterator[Path]:
    """A folder to write into; it takes the name `out` (and the place of an older one) when the block ends well.

    When it does not, nothing is left. A full disk raises CurationError.
    """
    partial = out.with_name(out.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        partial.mkdir(parents=True)
        yield partial
        if out.exists():
            shutil.rmtree(out)
        partial.rename(out)
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            raise CurationError(f"no space left where {out} is written: make room there, then start again") from error
        raise
    finally:
        shutil.rmtree(partial, ignore_errors=True)
