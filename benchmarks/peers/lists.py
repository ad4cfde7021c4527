"""The URL block lists that datatrove ships, unpacked for our URL filter, so that both sides search the same ones."""

import tarfile

from peers.venv import VENVS

_ARCHIVE = "url_filterblacklistsv0_3_0.tar.gz"


def url_lists(venv: str) -> dict[str, list[str]]:
    """Settings of our URL filter with the lists in a peer's environment."""
    assets = next((VENVS / venv).glob("lib/python*/site-packages/datatrove/assets"))
    folder = VENVS / f"{venv}-lists"
    if not (folder / "urls").is_file():
        with tarfile.open(assets / _ARCHIVE, "r:gz") as archive:
            archive.extractall(folder, filter="data")
    return {
        "list_files": [str(folder / "domains"), str(folder / "urls")],
        "blocked_word_files": [str(assets / "banned_words.txt")],
        "soft_word_files": [str(assets / "soft_banned_words.txt")],
        "blocked_substring_files": [str(assets / "banned_subwords.txt")],
    }
