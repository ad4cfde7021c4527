"""From the input of a spec to a folder on this machine."""

from pathlib import Path

from workers.curation.corpora import corpus_folder
from workers.curation.readers._files import FORMATS, InputError, list_folder
from workers.curation.readers._spool import find_spool, open_spool
from workers.specs.curation.inputs import CorpusInput, Input, S3Input


def resolve_input(chosen: Input, home: Path) -> Path:
    """The folder to read: a fetched corpus below `home`, the folder of the spec, or one that stands for an S3 prefix.

    An S3 prefix is listed now; its objects come when they are read. Raises InputError when the input is missing, no
    folder, unreadable, or holds no file that a reader knows.
    """
    if isinstance(chosen, S3Input):
        folder = open_spool(chosen, home)
        _check_files(f"{chosen.url}", list_files(folder))
        return folder
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
    _check_files(f"the input folder {folder}", files)
    return folder


def list_files(root: Path) -> list[Path]:
    """Files of the input that a reader knows, sorted by path; those of an S3 prefix need not be on this machine.

    Hidden files and folders are passed over. A link is followed only when it leads to a file inside `root`.
    """
    spool = find_spool(root)
    return list_folder(root) if spool is None else [root / path for path in sorted(spool.objects)]


def _check_files(name: str, files: list[Path]) -> None:
    if not files:
        known = " ".join(sorted(FORMATS))
        raise InputError(f"{name} holds no document. Put files there that end in: {known}")
