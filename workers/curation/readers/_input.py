"""From the input of a spec to a folder on this machine."""

from pathlib import Path

from workers.curation.corpora import corpus_folder
from workers.curation.readers._files import FORMATS, list_files
from workers.specs.curation.inputs import CorpusInput, Input


class InputError(ValueError):
    """The input of a run is missing or empty; the message says what to do."""


def resolve_input(chosen: Input, home: Path) -> Path:
    """The folder to read: a fetched corpus below `home`, or the folder of the spec.

    Raises InputError when it is missing, no folder, unreadable, or holds no file that a reader knows.
    """
    if isinstance(chosen, CorpusInput):
        try:
            folder = corpus_folder(home, chosen.name)
        except (KeyError, FileNotFoundError) as error:
            raise InputError(str(error.args[0])) from None
    else:
        folder = Path(chosen.path)
        if not folder.is_absolute():
            raise InputError(f"the input folder must be an absolute path on the worker, not '{chosen.path}'")
        if not folder.exists():
            raise InputError(f"the input folder {folder} does not exist on this worker: check the path, or mount it")
        if not folder.is_dir():
            raise InputError(f"the input {folder} is a file: give the folder that holds it")
    try:
        files = list_files(folder)
    except OSError as error:
        raise InputError(f"the input folder {folder} cannot be read: {error.strerror}") from None
    if not files:
        known = " ".join(sorted(FORMATS))
        raise InputError(f"the input folder {folder} holds no document. Put files there that end in: {known}")
    return folder
