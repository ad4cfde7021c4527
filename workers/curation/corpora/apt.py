"""Debian packages as any user: private lists and cache, no root, no change to the system. See apt-get(8), dpkg(1)."""

import os
import pwd
import shutil
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from workers.storage import file_sha256

_TRIES = 3
_UPDATE_SECONDS = 300
_DOWNLOAD_SECONDS = 1200
_UNPACK_SECONDS = 300
_TOOLS = ("apt-get", "apt-cache", "dpkg")


class ToolsMissingError(RuntimeError):
    """This machine cannot fetch Debian packages at all."""


class FetchError(RuntimeError):
    """The network, the archive or a download failed, after retries."""


@dataclass(frozen=True, slots=True)
class Package:
    """What the archive says of a package, and so what its file must be."""

    name: str
    version: str
    sha256: str
    num_bytes: int


class Apt:
    """apt with its lists and cache below `folder`. `say` is told of retries."""

    def __init__(self, folder: Path, say: Callable[[str], None]) -> None:
        missing = [tool for tool in _TOOLS if shutil.which(tool) is None]
        if missing:
            raise ToolsMissingError(
                f"this machine has no {', '.join(missing)}, so the corpus cannot be fetched. "
                "Use documents of your own: --input FOLDER (HTML, PDF, text, Markdown, JSONL, Parquet, WARC)"
            )
        self.say = say
        self.folder = folder.resolve()
        for part in ("lists/partial", "cache/archives/partial"):
            (self.folder / part).mkdir(parents=True, exist_ok=True)
        (self.folder / "status").touch()  # what is installed here must not change what is fetched
        options = {
            "Dir::State::Lists": self.folder / "lists",
            "Dir::State::status": self.folder / "status",
            "Dir::Cache": self.folder / "cache",
            "Debug::NoLocking": 1,
            "Acquire::Retries": 2,
            "Acquire::http::Timeout": 20,
            "Acquire::https::Timeout": 20,
            "APT::Sandbox::User": _user_name(),
        }
        self.options = [part for key, value in options.items() for part in ("-o", f"{key}={value}")]

    def update(self) -> None:
        """Fetch the package lists. Raises FetchError."""

        def run() -> None:
            done = _run(["apt-get", *self.options, "update"], self.folder, _UPDATE_SECONDS)
            trouble = [line for line in done.stderr.splitlines() if line.startswith(("E:", "Err:", "W: Failed"))]
            if done.returncode or trouble:
                raise FetchError("apt-get update failed: " + (trouble or [done.stderr.strip()])[-1])

        self._retry("the package lists", run)

    def find(self, names: list[str]) -> dict[str, Package]:
        """What the lists say of these packages; those that they don't know are left out."""
        found = {}
        for name in names:
            done = _run(["apt-cache", *self.options, "show", "--no-all-versions", name], self.folder, 60)
            fields = dict(line.split(": ", 1) for line in done.stdout.splitlines() if ": " in line and line[0] != " ")
            if fields.get("SHA256") and fields.get("Package") == name:
                found[name] = Package(name, fields["Version"], fields["SHA256"], int(fields["Size"]))
        return found

    def download(self, package: Package, folder: Path) -> Path:
        """The package's file in `folder`, of the right size and SHA-256; one that is there already is kept.

        Raises FetchError.
        """
        target = folder / f"{package.name}_{package.version.replace(':', '%3a')}.deb"
        if is_intact(target, package.num_bytes, package.sha256):
            return target
        partial = folder / f".{package.name}.partial"

        def run() -> None:
            shutil.rmtree(partial, ignore_errors=True)
            partial.mkdir(parents=True)
            wanted = f"{package.name}={package.version}"
            done = _run(["apt-get", *self.options, "download", wanted], partial, _DOWNLOAD_SECONDS)
            files = list(partial.glob("*.deb"))
            if done.returncode or len(files) != 1:
                raise FetchError(f"{package.name}: download failed: {(done.stderr.strip() or done.stdout)[-300:]}")
            if not is_intact(files[0], package.num_bytes, package.sha256):
                raise FetchError(f"{package.name}: the downloaded file does not have the size and SHA-256 of the lists")
            with files[0].open("rb") as file:
                os.fsync(file.fileno())
            files[0].rename(target)

        try:
            self._retry(package.name, run)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
        return target

    def _retry(self, what: str, run: Callable[[], None]) -> None:
        for attempt in range(1, _TRIES + 1):
            try:
                run()
            except FetchError as error:
                if attempt == _TRIES:
                    raise FetchError(f"{error} ({_TRIES} tries). Check the network and run the command again") from None
                self.say(f"{what}: try {attempt} of {_TRIES} failed, trying again")
                time.sleep(2 ** (attempt - 1))
            else:
                return


def unpack(deb: Path, folder: Path) -> None:
    """Unpack a package's files into `folder`. Raises FetchError when the file is damaged."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    done = _run(["dpkg", "-x", str(deb.resolve()), str(folder.resolve())], folder, _UNPACK_SECONDS)
    if done.returncode:
        raise FetchError(f"{deb.name} cannot be unpacked: {done.stderr.strip()[-300:]}")


def is_intact(path: Path, num_bytes: int, sha256: str) -> bool:
    """Is the file there with that size and SHA-256?"""
    return path.is_file() and path.stat().st_size == num_bytes and file_sha256(path) == sha256


def _run(command: list[str], folder: Path, timeout: float) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "LC_ALL": "C.UTF-8"}
    try:
        return subprocess.run(
            command, cwd=folder, env=environment, timeout=timeout, capture_output=True, text=True, errors="replace"
        )
    except subprocess.TimeoutExpired:
        raise FetchError(f"{command[0]} took more than {timeout:.0f} s") from None


def _user_name() -> str:
    """As root, apt drops to this user; an id without a name is no root, and then it is not looked at."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())
