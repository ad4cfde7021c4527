"""The pages in Chromium: first load, time until a person can act, and frames while 50 curves of 10,000 points move.

`python benchmarks/ui.py` starts a Postgres and a service of its own with the built UI (`make ui`). Figures: gzipped
JavaScript of the first page; seconds from the request until the list of runs answers a key (a cold browser); and the
processor time of the main thread a frame while Compare, zoomed, is dragged: tasks of the renderer as tracing has them.
"""

import gzip
import itertools
import json
import re
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "browser")]

from browser import chromium, context  # noqa: E402
from seeder import Seeder  # noqa: E402
from service import UI_DIST, Service, serve  # noqa: E402

from app.services.postgres import EmbeddedPostgres  # noqa: E402

NUM_RUNS, NUM_POINTS, NUM_MOVES, LOADS = 50, 10_000, 120, 5
TRACED = ["toplevel", "devtools.timeline", "disabled-by-default-devtools.timeline"]


def seed(seeder: Seeder) -> list[str]:
    """Runs with a loss at each step; their ids."""
    ids = []
    for number in range(NUM_RUNS):
        spec = {
            "kind": "training",
            "name": f"run {number:02}",
            "num_steps": NUM_POINTS,
            "dataset": "sha256:" + "a" * 64,
        }
        ids.append(seeder.launch(spec | {"seed": number}))
        steps = list(range(NUM_POINTS))
        values = [3 + 6 / (1 + step / 40) + ((step * 7919 + number * 104729) % 1000) / 8000 for step in steps]
        column = {"key": "loss", "branch": 0, "steps": steps, "values": values, "times": [1.79e9 + s for s in steps]}
        seeder.report(ids[-1], state="running", metrics=[column])
        seeder.report(ids[-1], state="completed")
    return ids


def first_load_bytes() -> int:
    """Gzipped bytes of the scripts that index.html names, modules that it preloads included."""
    html = (UI_DIST / "index.html").read_text(encoding="utf-8")
    scripts = set(re.findall(r'(?:src|href)="/(assets/[^"]+\.js)"', html))
    return sum(len(gzip.compress((UI_DIST / name).read_bytes(), 9)) for name in scripts)


def interactive_seconds(browser: Browser, service: Service) -> float:
    """From the request until the list stands there and a key does something; a fresh profile, nothing cached."""
    with context(browser) as tab:
        page = tab.new_page()
        page.goto(service.login_link())
        page.wait_for_selector("h1")
        session = tab.cookies()
    with context(browser) as cold:
        cold.add_cookies([{key: c[key] for key in ("name", "value", "domain", "path")} for c in session])
        page = cold.new_page()
        began = time.perf_counter()
        page.goto(service.url + "/runs", wait_until="commit")
        page.wait_for_selector("[data-row]")
        page.keyboard.press("j")
        page.wait_for_selector("[data-row]:focus")
        return time.perf_counter() - began


def frames_ms(browser: Browser, page: Page) -> list[float]:
    """Time of the main thread in each frame while the zoomed chart is dragged to and fro."""
    chart = page.get_by_role("region", name="Training loss, chart").locator(".u-over")
    chart.wait_for()
    box = chart.bounding_box()
    if box is None:
        raise RuntimeError("the chart is not there")
    middle = box["y"] + box["height"] / 2
    browser.start_tracing(page=page, categories=TRACED)
    page.keyboard.down("Shift")
    page.mouse.move(box["x"] + box["width"] * 0.8, middle)
    page.mouse.down()
    for move in range(NUM_MOVES):
        share = 0.8 - 0.6 * abs((move % 60) / 30 - 1)
        page.mouse.move(box["x"] + box["width"] * share, middle)
    page.mouse.up()
    page.keyboard.up("Shift")
    return busy_ms_by_frame(json.loads(browser.stop_tracing())["traceEvents"])


def busy_ms_by_frame(events: list[dict[str, Any]]) -> list[float]:
    """Milliseconds that the renderer's main thread worked between one `FireAnimationFrame` of a move and the next."""
    fired = [event for event in events if event["name"] == "FireAnimationFrame"]
    if not fired:
        raise RuntimeError("no frame was drawn: the chart did not move")
    main = (fired[0]["pid"], fired[0]["tid"])
    tasks = [
        (event["ts"] + event.get("dur", 0) / 2, event.get("tdur", 0))
        for event in events
        if (event["pid"], event["tid"]) == main and event["name"] == "RunTask"
    ]
    starts = sorted({event["ts"] for event in fired if (event["pid"], event["tid"]) == main})
    frames = []
    for begin, end in itertools.pairwise(starts):
        frames.append(sum(spent for at, spent in tasks if begin <= at < end) / 1000)
    return frames


def main() -> None:
    """Print one row of JSON."""
    with tempfile.TemporaryDirectory() as made:
        postgres = EmbeddedPostgres(Path(made) / "postgres", fast=True)
        postgres.start()
        try:
            with serve(postgres.create_database("ui"), Path(made)) as service, chromium() as browser:
                ids = seed(Seeder(service.url, service.admin_token, service.worker_token))
                loads = [interactive_seconds(browser, service) for _ in range(LOADS)]
                with context(browser) as tab:
                    page = tab.new_page()
                    page.goto(service.login_link())
                    page.goto(f"{service.url}/compare?runs={','.join(ids)}&from=4000&to=6000")
                    page.get_by_role("region", name="What the curves say").get_by_role("listitem").first.wait_for()
                    page.wait_for_timeout(3000)
                    frames = frames_ms(browser, page)
        finally:
            postgres.stop()
    ordered = sorted(frames)
    row = {
        "name": "ui",
        "first_load_kb": round(first_load_bytes() / 1000, 1),
        "interactive_s": round(statistics.median(loads), 2),
        "panned_frames": len(ordered),
        "frame_ms_median": round(statistics.median(ordered), 2),
        "frame_ms_p95": round(ordered[int(len(ordered) * 0.95)], 2),
        "frame_ms_max": round(ordered[-1], 2),
    }
    print(json.dumps(row))


if __name__ == "__main__":
    main()
