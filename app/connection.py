"""Calls of the REST API: where the service is, time limits and retries, errors as plain text."""

import hashlib
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx

_RETRIES = 5
_TIMEOUT_SECONDS = 30.0
_MAX_WAIT_SECONDS = 30.0
_RETRY_STATUS = {429, 502, 503, 504}
_USAGE_STATUS = {400, 422}


class ServiceError(RuntimeError):
    """What went wrong, in words for a person. Exit code of a command: 2 is wrong usage, 1 failure.

    `status` is that of the service's answer; None: there was none. `fields`: pointer and message of what is wrong.
    """

    def __init__(
        self, message: str, code: int = 1, *, status: int | None = None, fields: tuple[tuple[str, str], ...] = ()
    ) -> None:
        super().__init__(message)
        self.code, self.status, self.fields = code, status, fields


class Connection:
    """Calls to `/api/v1` of one service with one token, in one project where one is named."""

    def __init__(self, url: str, token: str, project: str = "") -> None:
        self.url = url.rstrip("/")
        self._client = httpx.Client(
            base_url=f"{self.url}/api/v1",
            headers={"Authorization": f"Bearer {token}"},
            params={"project": project} if project else None,
            timeout=httpx.Timeout(_TIMEOUT_SECONDS, connect=5),
            trust_env=False,
        )

    def close(self) -> None:
        """End it."""
        self._client.close()

    def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        params: dict[str, Any] | None = None,
        key: str | None = None,
        timeout: float = _TIMEOUT_SECONDS,
        etag: str | None = None,
    ) -> Any:
        """The JSON of the answer. Reads, and writes with an Idempotency-Key, are tried again when the service is away.

        Raises ServiceError with the problem's text and the pointers of wrong fields.
        """
        headers = ({"Idempotency-Key": key} if key else {}) | ({"If-Match": etag} if etag else {})
        sent = {name: value for name, value in (params or {}).items() if value is not None}
        again = method == "GET" or key is not None
        for attempt in range(_RETRIES):
            last = not again or attempt == _RETRIES - 1
            try:
                response = self._client.request(
                    method, path, json=body, params=sent, headers=headers, timeout=httpx.Timeout(timeout, connect=5)
                )
            except httpx.HTTPError as error:
                if last:
                    raise ServiceError(f"{self.url} does not answer ({error or type(error).__name__})") from error
            else:
                if last or response.status_code not in _RETRY_STATUS:
                    return _unpack(response)
                wait = response.headers.get("Retry-After", "")
                time.sleep(min(float(wait), _MAX_WAIT_SECONDS) if wait.isdigit() else 0)
            time.sleep(0.5 * 2**attempt)
        raise AssertionError("the loop returns or raises")

    def etag(self, path: str) -> str:
        """The ETag of a thing as it is now, which an edit of it must name."""
        try:
            response = self._client.get(path)
        except httpx.HTTPError as error:
            raise ServiceError(f"{self.url} does not answer ({error or type(error).__name__})") from error
        _unpack(response)
        return str(response.headers.get("ETag", ""))

    def items(self, path: str, limit: int, **params: Any) -> Iterator[dict[str, Any]]:
        """The items of a list, over its pages."""
        cursor, count = None, 0
        while count < limit:
            page = self.call("GET", path, params={**params, "limit": min(200, limit - count), "cursor": cursor})
            yield from page["items"]
            count += len(page["items"])
            cursor = page["next_cursor"]
            if not cursor or not page["items"]:
                return

    def download(self, path: str, target: Path) -> None:
        """Write the answer's bytes to a file, beside and renamed."""
        target.parent.mkdir(parents=True, exist_ok=True)
        beside = target.with_name(f".{target.name}.part")
        with self._client.stream("GET", path) as response, beside.open("wb") as file:
            if not response.is_success:
                response.read()
                _unpack(response)
            for chunk in response.iter_bytes(1 << 20):
                file.write(chunk)
        beside.replace(target)

    def download_artifact(self, artifact: dict[str, Any], folder: Path) -> Path:
        """Write the artifact's files below a folder, all or none; a folder that is there already is replaced.

        Raises ServiceError when a file is damaged or would lie outside the folder.
        """
        partial = folder.with_name(f".{folder.name}.part")
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        for file in artifact["files"]:
            target = partial / file["path"]
            if not target.resolve().is_relative_to(partial.resolve()):
                raise ServiceError(f"{artifact['name']}: {file['path']!r} lies outside the artifact's folder")
            self.download(f"/artifacts/{artifact['digest']}/files/{quote(file['path'])}", target)
            if _sha256(target) != file["sha256"]:
                raise ServiceError(f"{artifact['name']}: {file['path']} arrived damaged; download it again")
        shutil.rmtree(folder, ignore_errors=True)
        partial.rename(folder)
        return folder


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _unpack(response: httpx.Response) -> Any:
    if response.is_success:
        return response.json() if response.content else None
    code = 2 if response.status_code in _USAGE_STATUS else 1
    try:
        problem: dict[str, Any] = response.json()
        lines = [f"{problem.get('title', response.reason_phrase)}: {problem.get('detail', '')}".rstrip(": ")]
        fields = tuple((error["pointer"], error["message"]) for error in problem.get("errors", []))
        lines += [f"  {pointer}: {message}" for pointer, message in fields]
    except (ValueError, AttributeError, KeyError):
        lines, fields = [f"{response.status_code} {response.text[:300] or response.reason_phrase}"], ()
    raise ServiceError("\n".join(lines), code, status=response.status_code, fields=fields)


def connect() -> Connection:
    """The service that the settings name, else the embedded stack of the data folder.

    Raises ServiceError when neither is there.
    """
    from app.services.credentials import read_credentials
    from app.services.stack_file import is_running, read_state
    from app.settings import settings

    url, token = settings().api_url, settings().api_token.get_secret_value()
    home = settings().home.expanduser().absolute()
    if not url:
        if not is_running(home):
            raise ServiceError(
                f"no stack runs in {home}: start it with `headrace up`, "
                "or set HEADRACE_API_URL and HEADRACE_API_TOKEN to reach another one"
            )
        url = read_state(home).url
        if not url:
            raise ServiceError("the stack is still starting: `headrace status` shows how far it is")
    if not token:
        given = settings().admin_token.get_secret_value()
        credentials = read_credentials(home)
        token = given or (credentials.admin_token if credentials else "")
    return Connection(url, token, settings().project)
