"""A service on the real Postgres with the built UI, and Chromium logged in to it."""

import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest
from browser import AXE, chromium, context
from corpus import make_versions
from playwright.sync_api import Browser, ConsoleMessage, Page, Response
from seed import everything
from seeder import Seeder
from service import UI_DIST, Service, serve

from app.services.postgres import EmbeddedPostgres
from workers.specs.curation import CurationSpec


@pytest.fixture(scope="session", autouse=True)
def built_ui() -> None:
    """Fails with what to do where the UI was not built."""
    if not (UI_DIST / "index.html").is_file() or not AXE.is_file():
        pytest.fail("the UI is not built; run `npm ci && npm run build` in ui/ (`make ui`)", pytrace=False)


@pytest.fixture(scope="module")
def service(postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """An empty service."""
    folder = tmp_path_factory.mktemp("service")
    with serve(postgres.create_database(f"ui_{secrets.token_hex(6)}"), folder) as started:
        yield started


@pytest.fixture(scope="module")
def browser(service: Service) -> Iterator[Browser]:
    """Chromium. Its loop runs in this thread until the module ends: nothing asynchronous may start meanwhile."""
    with chromium() as started:
        yield started


@pytest.fixture(scope="module")
def seeder(service: Service) -> Seeder:
    """Speaks to the service as a person and as a worker."""
    return Seeder(service.url, service.admin_token, service.worker_token)


@pytest.fixture(scope="session")
def datasets(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[CurationSpec, Path]]:
    """Two versions of a dataset out of the real curation."""
    return make_versions(tmp_path_factory.mktemp("datasets"))


@pytest.fixture(scope="module")
def ids(seeder: Seeder, datasets: list[tuple[CurationSpec, Path]]) -> dict[str, str]:
    """One of each kind of run, seeded once."""
    return everything(seeder, datasets)


class Watched:
    """A page, and all that went wrong on it."""

    def __init__(self, page: Page, url: str) -> None:
        self.page, self.url, self.problems = page, url, []
        self.policies: set[str] = set()
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.problems.append(f"page error: {error}"))
        page.on("response", self._response)

    def go(self, path: str) -> Page:
        """Open a path of the service."""
        self.page.goto(self.url + path)
        self.page.wait_for_selector("h1")
        return self.page

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self.problems.append(f"console {message.type}: {message.text}")

    def _response(self, response: Response) -> None:
        if response.request.resource_type == "document":
            self.policies.add(response.headers.get("content-security-policy", ""))


def _watched(browser: Browser, service: Service, scheme: str) -> Iterator[Watched]:
    with context(browser, scheme) as tab:
        watched = Watched(tab.new_page(), service.url)
        watched.page.set_default_timeout(15_000)
        watched.page.goto(service.login_link())
        yield watched
        assert watched.problems == []


@pytest.fixture
def ui(browser: Browser, service: Service) -> Iterator[Watched]:
    """A logged-in page in the light scheme. Any error in its console fails the test."""
    yield from _watched(browser, service, "light")


@pytest.fixture
def ui_dark(browser: Browser, service: Service) -> Iterator[Watched]:
    """The same in the dark scheme."""
    yield from _watched(browser, service, "dark")
