"""HTML and PDF files of an unpacked package -> WARC files, one a language, the same bytes every time.

WARC 1.1: https://iipc.github.io/warc-specifications/specifications/warc-format/warc-1.1/
"""

import gzip
import io
import os
import re
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

from warcio.statusandheaders import StatusAndHeaders
from warcio.warcwriter import WARCWriter

from workers.curation.corpora.apt import Package
from workers.storage import file_sha256

_MEDIA_TYPES = {".html": "text/html", ".htm": "text/html", ".pdf": "application/pdf"}
_LANGUAGE = re.compile(r"^([a-z]{2})(?:[-_][A-Z]{2})?$")
_MAX_FILE_BYTES = 200_000_000


@dataclass(frozen=True, slots=True)
class Page:
    """One HTML or PDF file of a package."""

    path: Path
    name: str
    """Path inside the package, without `.gz`."""
    media_type: str
    language: str
    """As the path names it; empty when it names none."""


def find_pages(unpacked: Path, languages: tuple[str, ...]) -> list[Page]:
    """Pages below `unpacked` in these languages or in none that the path names, by path. Links are not followed."""
    pages = []
    for path in sorted(unpacked.rglob("*")):
        if path.is_symlink() or not path.is_file():
            continue
        name = path.relative_to(unpacked).as_posix().removesuffix(".gz")
        media_type = _MEDIA_TYPES.get(Path(name).suffix.lower())
        language = path_language(name)
        if media_type and (not language or language in languages):
            pages.append(Page(path, name, media_type, language))
    return pages


def path_language(name: str) -> str:
    """Two-letter code in a path: a folder (`fr-FR/x.html`), else a double suffix (`ch01.fr.html`), else empty."""
    *folders, file = name.split("/")
    for part in (*reversed(folders), *reversed(file.split(".")[1:-1])):
        if match := _LANGUAGE.match(part):
            return match[1]
    return ""


def page_url(corpus: str, package: str, name: str) -> str:
    """A stable address that names package and path; the host cannot exist (RFC 6761)."""
    return f"https://{corpus}.invalid/{package}/{quote(name)}"


def pack_pages(
    corpus: str, package: Package, licence: str, pages: list[Page], folder: Path, tick: Callable[[], None]
) -> list[dict[str, Any]]:
    """Write `<package>[.<language>].warc.gz` files into `folder`; `tick` is called after each page.

    Returns, by file, `{file, language, num_html, num_pdf, num_bytes, sha256}`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    packed = []
    for language in sorted({page.language for page in pages}):
        chosen = [page for page in pages if page.language == language]
        target = folder / f"{package.name}{'.' if language else ''}{language}.warc.gz"
        partial = target.with_name(f".{target.name}.{os.getpid()}.partial")
        try:
            with partial.open("wb") as file:
                _write(file, corpus, package, licence, chosen, tick)
                file.flush()
                os.fsync(file.fileno())
            partial.rename(target)
        finally:
            partial.unlink(missing_ok=True)
        packed.append(
            {
                "file": target.name,
                "language": language,
                "num_html": sum(page.media_type == "text/html" for page in chosen),
                "num_pdf": sum(page.media_type == "application/pdf" for page in chosen),
                "num_bytes": target.stat().st_size,
                "sha256": file_sha256(target),
            }
        )
    return packed


def _write(
    file: io.BufferedWriter, corpus: str, package: Package, licence: str, pages: list[Page], tick: Callable[[], None]
) -> None:
    writer = WARCWriter(file, gzip=True, warc_version="WARC/1.1")
    info = {
        "software": "headrace",
        "isPartOf": corpus,
        "description": f"{package.name} {package.version}, sha256 {package.sha256}",
        "license": licence,
    }
    content = "".join(f"{key}: {value}\r\n" for key, value in info.items()).encode()
    date = min((page.path.stat().st_mtime for page in pages), default=0.0)
    headers = _identity(f"{package.name} {package.version} warcinfo", date)
    writer.write_record(
        writer.create_warc_record(
            "", "warcinfo", payload=io.BytesIO(content), length=len(content), warc_headers_dict=headers
        )
    )
    for page in pages:
        url = page_url(corpus, package.name, page.name)
        content = _content(page.path)
        http = StatusAndHeaders(
            "200 OK", [("Content-Type", page.media_type), ("Content-Length", str(len(content)))], protocol="HTTP/1.1"
        )
        headers = _identity(f"{url} {package.version}", page.path.stat().st_mtime)
        writer.write_record(
            writer.create_warc_record(
                url,
                "response",
                payload=io.BytesIO(content),
                length=len(content),
                http_headers=http,
                warc_headers_dict=headers,
            )
        )
        tick()


def _identity(name: str, date: float) -> dict[str, str]:
    """Record id and date that depend on the package alone: packing again gives the same bytes."""
    return {
        "WARC-Record-ID": f"<urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, name)}>",
        "WARC-Date": datetime.fromtimestamp(int(date), UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
    }


def _content(path: Path) -> bytes:
    with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as file:
        content = file.read(_MAX_FILE_BYTES + 1)
    if len(content) > _MAX_FILE_BYTES:
        raise ValueError(f"{path.name} unpacks to more than {_MAX_FILE_BYTES} bytes")
    return content
