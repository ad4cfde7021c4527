"""Which licence a package names in its copyright file.

Machine-readable files: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
"""

import re
from pathlib import Path

_FORMAT = re.compile(r"^Format:.*copyright-format", re.MULTILINE | re.IGNORECASE)
_FIELD = re.compile(r"^License:[ \t]*(\S.*)$", re.MULTILINE | re.IGNORECASE)
_COMMON = re.compile(r"/usr/share/common-licenses/([A-Za-z]+-?[\d.]*\d|[A-Za-z]+)")
_UNKNOWN = "not named: see its copyright file"


def read_licence(unpacked: Path, package: str) -> str:
    """The licence of an unpacked package, read from its `usr/share/doc/<package>/copyright`."""
    path = unpacked / "usr/share/doc" / package / "copyright"
    if not path.is_file():
        found = sorted(unpacked.glob("usr/share/doc/*/copyright"))
        if not found:
            return _UNKNOWN
        path = found[0]
    return parse_licence(path.read_text("utf-8", errors="replace"))


def parse_licence(text: str) -> str:
    """Licence names of a copyright file, joined by `; `.

    Machine-readable: those of its `Files` paragraphs (first line of each `License` field); else the common licences
    that the prose points to, as `GPL-2 (from prose)`.
    """
    if _FORMAT.search(text):
        paragraphs = re.split(r"\n\s*\n", text)
        of_files = [p for p in paragraphs if re.search(r"^Files:", p, re.MULTILINE | re.IGNORECASE)]
        names = [match.strip() for p in of_files or paragraphs for match in _FIELD.findall(p)]
    else:
        names = [f"{name} (from prose)" for name in _COMMON.findall(text)]
    return "; ".join(dict.fromkeys(names)) or _UNKNOWN
