"""Pictures of each page in both schemes and both widths, for docs/screenshots.

`python tests/browser/screenshots.py FOLDER URL ADMIN_TOKEN WORKER_TOKEN [PAGE ...]` on a service that seed.py filled,
or one with the runs of `headrace demo`.
"""

import sys
from pathlib import Path
from string import Formatter
from typing import Any

import httpx
from browser import PHONE, WIDE, chromium, context
from corpus import NAME
from playwright.sync_api import expect
from service import Service

SHORT = "fineweb_quality.max_short_line_ratio"
SEEDED = {
    "training": "smol-8m-muon-seed3",
    "pipeline": "Six languages, 8 M",
    "evaluation": "smol-8m-adamw-seed1, final",
    "quality": "edu-scorer",
    "ablation": "which filters pay",
}
PAGES = {
    "overview": "/",
    "runs": "/runs",
    "run": "/runs/{training}?iv=i1",
    "pipeline": "/runs/{pipeline}",
    "compare": "/compare?runs={family}",
    "launch": "/launch",
    "datasets": "/datasets",
    "dataset": "/datasets/{dataset1}?tab=overview",
    "dataset-funnel": "/datasets/{dataset1}?tab=funnel&rule=gopher_quality.min_words",
    "dataset-rules": "/datasets/{dataset1}?tab=rules&rule=" + SHORT + "&language=en&draft=" + SHORT + ":0.75",
    "dataset-samples": "/datasets/{dataset1}?tab=samples&rule=gopher_quality.min_words&label=true",
    "dataset-spans": "/datasets/{dataset}?tab=samples&rule=" + SHORT + "&sample=0",
    "dataset-duplicates": "/datasets/{dataset1}?tab=clusters",
    "dataset-compare": "/datasets/{dataset2}?tab=versions&against={dataset1}",
    "evaluations": "/evaluations",
    "schedules": "/schedules",
    "workers": "/workers",
    "settings": "/settings",
    "settings-users": "/settings?tab=users",
    "settings-audit": "/settings?tab=audit",
    "log": "/runs/{training}?tab=log",
    "scores": "/runs/{evaluation}",
    "quality": "/runs/{quality}",
    "ablation": "/runs/{ablation}",
}


def paths(ids: dict[str, str]) -> dict[str, str]:
    """The page's address by the picture's name, where there is what it shows."""
    plain = {what: found.removeprefix("sha256:") for what, found in ids.items() if found}
    needed = {name: {field for _, field, _, _ in Formatter().parse(path) if field} for name, path in PAGES.items()}
    return {name: path.format(**plain) for name, path in PAGES.items() if needed[name] <= plain.keys()}


def find_ids(service: Service) -> dict[str, str]:
    """The seeded runs by what they are; on another service, say after `headrace demo`, the newest of each kind."""
    headers = {"Authorization": f"Bearer {service.admin_token}"}

    def items(path: str) -> list[dict[str, Any]]:
        answer = httpx.get(f"{service.url}/api/v1{path}", headers=headers, timeout=60)
        return list(answer.raise_for_status().json()["items"])

    runs, sets = items("/runs?limit=200"), items("/datasets")
    named = {run["name"]: run["id"] for run in reversed(runs)}
    trainings = [run for run in runs if run["kind"] == "training" and run["headline"].get("loss")]
    ids = {run["kind"]: run["id"] for run in reversed(runs)}
    family = [run["id"] for run in reversed(trainings) if "family" in run["tags"] or len(trainings) < 6]
    ids |= {"family": ",".join(family)}
    if trainings:
        ids["training"] = max(trainings, key=lambda run: run["num_interventions"])["id"]
    for what, name in SEEDED.items():
        ids |= {what: named[name]} if name in named else {}
    versions = items(f"/datasets/{NAME if any(item['name'] == NAME for item in sets) else sets[0]['name']}/versions")
    ids |= {"dataset1": versions[-1]["digest"]} | ({"dataset2": versions[0]["digest"]} if len(versions) > 1 else {})
    ids["dataset"] = next((item["digest"] for item in sets if item["name"] == "harbour-web"), ids["dataset1"])
    return ids


def shoot(service: Service, folder: Path, only: set[str]) -> None:
    """Take them all."""
    folder.mkdir(parents=True, exist_ok=True)
    pages = {name: path for name, path in paths(find_ids(service)).items() if not only or name in only}
    with chromium() as browser:
        for scheme in ("light", "dark"):
            for width, size in (("1440", WIDE), ("390", PHONE)):
                with context(browser, scheme, size) as tab:
                    page = tab.new_page()
                    page.goto(service.login_link())
                    for name, path in pages.items():
                        page.goto(service.url + path)
                        page.wait_for_selector("h1")
                        expect(page.locator(".skeleton")).to_have_count(0, timeout=60_000)
                        page.wait_for_timeout(1200)
                        page.screenshot(path=folder / f"{name}-{width}-{scheme}.png")


if __name__ == "__main__":
    target, url, admin, worker, *names = sys.argv[1:]
    shoot(Service(url, admin, worker), Path(target), set(names))
