"""Corpora: packages made here, a local archive served by apt itself, and everything that can go wrong."""

import gzip
import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from warcio.archiveiterator import ArchiveIterator

from workers.curation.corpora import CORPORA, Corpus, corpus_folder, read_manifest
from workers.curation.corpora import __main__ as command
from workers.curation.corpora.apt import Apt, FetchError, Package, ToolsMissingError
from workers.curation.corpora.fetch import fetch_corpus
from workers.curation.corpora.licences import parse_licence
from workers.curation.corpora.pack import find_pages, path_language
from workers.curation.corpora.progress import Progress
from workers.curation.document import RawRecord
from workers.curation.readers import list_files, read_file
from workers.specs.curation import Limits

COPYRIGHT = """Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/

Files: *
Copyright: 2020 A Miller
License: GPL-2+ or CC-BY-SA-3.0

License: GPL-2+
 Text of it.
"""
CORPUS = Corpus("mill-docs", "two small manuals", ("mill-manual", "wheel-guide"), ("en", "fr"))
needs_apt = pytest.mark.skipif(
    any(shutil.which(tool) is None for tool in ("apt-get", "dpkg", "dpkg-deb")),
    reason="no apt and dpkg on this machine",
)


def make_deb(folder: Path, name: str, files: dict[str, bytes], version: str = "1.0") -> Path:
    tree = folder / f"{name}-tree"
    shutil.rmtree(tree, ignore_errors=True)
    control = f"Package: {name}\nVersion: {version}\nArchitecture: all\nMaintainer: M <m@x.example>\nDescription: d\n"
    for path, content in {"DEBIAN/control": control.encode(), **files}.items():
        (tree / path).parent.mkdir(parents=True, exist_ok=True)
        (tree / path).write_bytes(content)
        os.utime(tree / path, (1_600_000_000, 1_600_000_000))
    target = folder / f"{name}_{version}_all.deb"
    subprocess.run(["dpkg-deb", "-b", "--root-owner-group", tree, target], check=True, capture_output=True)
    return target


@pytest.fixture
def archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A Debian archive in a folder, and the only source that apt knows here."""
    folder = tmp_path / "archive"
    folder.mkdir()
    doc = "usr/share/doc/mill-manual"
    manual = {
        f"{doc}/copyright": COPYRIGHT.encode(),
        f"{doc}/html/en-US/index.html": b"<p>The mill</p>",
        f"{doc}/html/fr-FR/index.html": b"<p>Le moulin</p>",
        f"{doc}/html/fr-FR/roue.html.gz": gzip.compress(b"<p>La roue</p>"),
        f"{doc}/html/ja-JP/index.html": b"<p>other</p>",
        f"{doc}/mill.fr.pdf": b"%PDF-1.4 moulin",
        f"{doc}/logo.png": b"png",
    }
    debs = [
        make_deb(folder, "mill-manual", manual),
        make_deb(folder, "wheel-guide", {"usr/share/wheel/a b.html": b"<p>wheel</p>"}),
    ]
    stanzas = []
    for deb in debs:
        control = subprocess.run(["dpkg-deb", "-f", deb], check=True, capture_output=True, text=True).stdout
        sha256 = hashlib.sha256(deb.read_bytes()).hexdigest()
        stanzas.append(f"{control}Filename: ./{deb.name}\nSize: {deb.stat().st_size}\nSHA256: {sha256}\n")
    (folder / "Packages").write_text("\n".join(stanzas))
    (tmp_path / "sources.list").write_text(f"deb [trusted=yes] file:{folder} ./\n")
    config = tmp_path / "apt.conf"
    config.write_text(f'Dir::Etc::SourceList "{tmp_path}/sources.list";\nDir::Etc::SourceParts "/dev/null";\n')
    monkeypatch.setenv("APT_CONFIG", str(config))
    monkeypatch.setattr("workers.curation.corpora.apt.time.sleep", lambda _: None)
    monkeypatch.setitem(CORPORA, CORPUS.name, CORPUS)
    return folder


def fetch(home: Path) -> dict[str, object]:
    with Progress() as progress:
        return fetch_corpus(CORPUS, home, progress)


def warcs(home: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (home / "corpora/mill-docs/warc").iterdir()}


@needs_apt
def test_fetch_packs_wanted_pages_with_stable_addresses(archive: Path, tmp_path: Path) -> None:
    manifest = fetch(tmp_path / "home")
    folder = corpus_folder(tmp_path / "home", "mill-docs")
    records = [record for path in list_files(folder) for record in read_file(path, folder, Limits())]
    assert all(isinstance(record, RawRecord) for record in records)
    base = "https://mill-docs.invalid/mill-manual/usr/share/doc/mill-manual"
    assert {r.url: r.content for r in records if isinstance(r, RawRecord)} == {
        f"{base}/html/en-US/index.html": b"<p>The mill</p>",
        f"{base}/html/fr-FR/index.html": b"<p>Le moulin</p>",
        f"{base}/html/fr-FR/roue.html": b"<p>La roue</p>",
        f"{base}/mill.fr.pdf": b"%PDF-1.4 moulin",
        "https://mill-docs.invalid/wheel-guide/usr/share/wheel/a%20b.html": b"<p>wheel</p>",
    }
    assert manifest == read_manifest(tmp_path / "home", "mill-docs")
    assert (manifest["num_html"], manifest["num_pdf"], manifest["left_out"]) == (4, 1, [])
    packages = manifest["packages"]
    assert isinstance(packages, list)
    assert [p["licence"] for p in packages] == ["GPL-2+ or CC-BY-SA-3.0", "not named: see its copyright file"]
    with (folder / "mill-manual.fr.warc.gz").open("rb") as file:  # another reader agrees, digests included
        kinds = [r.rec_type for r in ArchiveIterator(file, check_digests="raise")]
    assert kinds == ["warcinfo", "response", "response", "response"]


@needs_apt
def test_packing_again_gives_the_same_bytes(archive: Path, tmp_path: Path) -> None:
    fetch(tmp_path / "one")
    fetch(tmp_path / "two")
    assert warcs(tmp_path / "one") == warcs(tmp_path / "two")


@needs_apt
def test_all_there_needs_neither_network_nor_tools(
    archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = fetch(tmp_path / "home")
    shutil.rmtree(archive)
    monkeypatch.setenv("PATH", "/nonexistent")
    assert fetch(tmp_path / "home") == before


@needs_apt
def test_resume_repairs_only_what_is_broken(archive: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    fetch(home)
    before = warcs(home)
    folder = home / "corpora/mill-docs"
    untouched = (folder / "warc/wheel-guide.warc.gz").stat().st_mtime_ns
    (folder / "warc/mill-manual.fr.warc.gz").write_bytes(b"cut")
    shutil.rmtree(archive)  # the verified package is still there: no download
    fetch(home)
    assert warcs(home) == before
    assert (folder / "warc/wheel-guide.warc.gz").stat().st_mtime_ns == untouched
    assert not [path for path in folder.rglob("*") if "partial" in path.name and path.is_file()]


@needs_apt
def test_interrupted_fetch_is_not_picked_up(archive: Path, tmp_path: Path) -> None:
    next(archive.glob("wheel-guide*.deb")).unlink()
    with pytest.raises(FetchError, match=r"wheel-guide.*run the command again"):
        fetch(tmp_path / "home")
    with pytest.raises(FileNotFoundError, match="fetch mill-docs --home"):
        corpus_folder(tmp_path / "home", "mill-docs")
    assert "mill-manual.en.warc.gz" in warcs(tmp_path / "home"), "what is done is kept"


@needs_apt
def test_download_that_differs_from_the_lists_is_refused(archive: Path, tmp_path: Path) -> None:
    deb = next(archive.glob("mill-manual*.deb"))
    apt = Apt(tmp_path / "apt", lambda _: None)
    apt.update()
    package = apt.find(["mill-manual"])["mill-manual"]
    assert package == Package("mill-manual", "1.0", hashlib.sha256(deb.read_bytes()).hexdigest(), deb.stat().st_size)
    deb.write_bytes(deb.read_bytes()[:-1] + b"x")
    with pytest.raises(FetchError, match="mill-manual"):
        apt.download(package, tmp_path)
    assert not list(tmp_path.glob("*.deb"))


@needs_apt
def test_package_that_the_sources_lack_is_left_out_and_named(archive: Path, tmp_path: Path) -> None:
    corpus = Corpus("mill-docs", "", ("mill-manual", "no-such-package"), ("en", "fr"))
    with Progress() as progress:
        manifest = fetch_corpus(corpus, tmp_path / "home", progress)
    assert manifest["left_out"] == ["no-such-package"]
    with pytest.raises(FetchError, match="--input FOLDER"), Progress() as progress:
        fetch_corpus(Corpus("none", "", ("no-such-package",), ("en",)), tmp_path / "home", progress)


@needs_apt
def test_command(archive: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    home = ["--home", str(tmp_path / "home")]
    assert command.main(["list", "--json", *home]) == 0
    assert {"name": "mill-docs", "summary": "two small manuals", "fetched": False} in json.loads(
        capsys.readouterr().out
    )
    assert command.main(["fetch", "mill-docs", "--json", *home]) == 0
    printed = capsys.readouterr()
    assert json.loads(printed.out)["folder"] == str(tmp_path / "home/corpora/mill-docs/warc")
    assert "licence GPL-2+ or CC-BY-SA-3.0" in printed.err
    assert command.main(["list", *home]) == 0
    assert "mill-docs  fetched" in capsys.readouterr().out
    assert command.main(["fetch", "nothing", *home]) == 2
    assert "known: debian-docs" in capsys.readouterr().err


@needs_apt
def test_failing_archive_is_exit_code_1(archive: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.rmtree(archive)
    assert command.main(["fetch", "mill-docs", "--home", str(tmp_path / "home")]) == 1
    assert "3 tries" in capsys.readouterr().err


def test_without_apt_the_message_names_the_way(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "workers.curation.corpora", "fetch", "debian-docs", "--home", str(tmp_path)],
        env={"PATH": "/nonexistent", "PYTHONPATH": str(Path(__file__).parents[3])},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    assert "--input FOLDER" in done.stderr
    assert "Traceback" not in done.stderr


def test_tools_missing_is_its_own_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(ToolsMissingError, match="apt-get, apt-cache, dpkg"):
        Apt(tmp_path, print)


@pytest.mark.parametrize(
    ("text", "licence"),
    [
        (COPYRIGHT, "GPL-2+ or CC-BY-SA-3.0"),
        (
            COPYRIGHT.replace("\nLicense: GPL-2+\n Text", "\nFiles: po/*\nLicense: MIT\n Text"),
            "GPL-2+ or CC-BY-SA-3.0; MIT",
        ),
        ("Under the GNU GPL: see /usr/share/common-licenses/GPL-2 on Debian.", "GPL-2 (from prose)"),
        ("See /usr/share/common-licenses/GFDL-1.3.", "GFDL-1.3 (from prose)"),
        ("All rights reserved.", "not named: see its copyright file"),
    ],
)
def test_licences(text: str, licence: str) -> None:
    assert parse_licence(text) == licence


@pytest.mark.parametrize(
    ("name", "language"),
    [
        ("usr/share/doc/debian-handbook/html/pt-BR/sect.apt-get.html", "pt"),
        ("usr/share/doc/guide/zh_CN/ch01.html", "zh"),
        ("usr/share/debian-reference/ch09.fr.html", "fr"),
        ("usr/share/doc/x/install.es.pdf", "es"),
        ("usr/share/doc/x/index.html", ""),
    ],
)
def test_language_of_a_path(name: str, language: str) -> None:
    assert path_language(name) == language


def test_links_in_a_package_are_not_followed(tmp_path: Path) -> None:
    (tmp_path / "secret.html").write_text("x")
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree/a.html").symlink_to(tmp_path / "secret.html")
    assert find_pages(tmp_path / "tree", ("en",)) == []
