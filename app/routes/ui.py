"""The built web UI: its files, and its start page for every other path (the router runs in the browser)."""

import asyncio
from pathlib import Path

from fastapi import APIRouter, Depends
from fastapi.responses import FileResponse, HTMLResponse, Response

from app.routes.deps import SettingsOf, public
from app.routes.pages import plain_page
from app.services.problems import not_found

router = APIRouter(include_in_schema=False)
_IMMUTABLE = "public, max-age=31536000, immutable"


@router.get("/{path:path}", dependencies=[Depends(public)])
async def get_ui(path: str, settings: SettingsOf) -> Response:
    """A file of the UI, else its start page. Files in `assets/` carry a hash in their name and never change."""
    if path == "api" or path.startswith("api/"):
        raise not_found("endpoint", f"/{path}")
    found = await asyncio.to_thread(_find, settings.ui_dist, path)
    if found is None:
        page = plain_page(
            "The UI is not built", "The API runs. Build the UI once in the project's folder, then reload.", "make ui"
        )
        return HTMLResponse(page, 503, {"Cache-Control": "no-store"})
    if not found.is_file:
        raise not_found("file", f"/{path}")
    return FileResponse(found.path, headers={"Cache-Control": _IMMUTABLE if found.hashed else "no-cache"})


class _Found:
    def __init__(self, path: Path, hashed: bool, is_file: bool) -> None:
        self.path, self.hashed, self.is_file = path, hashed, is_file


def _find(dist: Path, path: str) -> _Found | None:
    """The file for a path; None when the UI is not built. Nothing outside the folder is ever found."""
    root = dist.resolve()
    start = root / "index.html"
    if not start.is_file():
        return None
    wanted = (root / path).resolve() if "\0" not in path else root
    if wanted.is_relative_to(root) and wanted.is_file():
        return _Found(wanted, path.startswith("assets/"), True)
    if path.startswith("assets/"):
        return _Found(wanted, False, False)
    return _Found(start, False, True)
