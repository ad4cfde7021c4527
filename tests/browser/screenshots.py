"""Pictures of each page in both schemes and both widths, for docs/screenshots.

`python tests/browser/screenshots.py FOLDER URL ADMIN_TOKEN WORKER_TOKEN [PAGE ...]` on a service that seed.py filled.
"""

import sys
from pathlib import Path

import httpx
from browser import PHONE, WIDE, chromium, context
from corpus import NAME
from service import Service

SHORT = "fineweb_quality.max_short_line_ratio"


def paths(ids: dict[str, str]) -> dict[str, str]:
    """The page's address by the picture's name."""
    dataset, made, newer = (ids[name].removeprefix("sha256:") for name in ("dataset", "dataset1", "dataset2"))
    return {
        "runs": "/runs",
        "run": f"/runs/{ids['training']}?iv=i1",
        "pipeline": f"/runs/{ids['pipeline']}",
        "launch": "/launch",
        "datasets": "/datasets",
        "dataset": f"/datasets/{made}?tab=overview",
        "dataset-funnel": f"/datasets/{made}?tab=funnel&rule=gopher_quality.min_words",
        "dataset-rules": f"/datasets/{made}?tab=rules&rule={SHORT}&language=en&draft={SHORT}:0.75",
        "dataset-samples": f"/datasets/{made}?tab=samples&rule=gopher_quality.min_words&label=true",
        "dataset-spans": f"/datasets/{dataset}?tab=samples&rule={SHORT}&sample=0",
        "dataset-duplicates": f"/datasets/{made}?tab=clusters",
        "dataset-compare": f"/datasets/{newer}?tab=versions&against={made}",
        "evaluations": "/evaluations",
        "workers": "/workers",
        "settings": "/settings",
        "settings-users": "/settings?tab=users",
        "settings-audit": "/settings?tab=audit",
        "log": f"/runs/{ids['training']}?tab=log",
        "scores": f"/runs/{ids['evaluation']}",
        "quality": f"/runs/{ids['quality']}",
        "ablation": f"/runs/{ids['ablation']}",
    }


def find_ids(service: Service) -> dict[str, str]:
    """The seeded runs by what they are."""
    headers = {"Authorization": f"Bearer {service.admin_token}"}
    runs = httpx.get(f"{service.url}/api/v1/runs?limit=200", headers=headers, timeout=10).json()["items"]
    sets = httpx.get(f"{service.url}/api/v1/datasets", headers=headers, timeout=10).json()["items"]
    path = f"{service.url}/api/v1/datasets/{NAME}/versions"
    versions = httpx.get(path, headers=headers, timeout=10).json()["items"]
    named = {run["name"]: run["id"] for run in runs}
    return {
        "training": named["smol-8m-muon-seed3"],
        "pipeline": named["Six languages, 8 M"],
        "evaluation": named["smol-8m-adamw-seed1, final"],
        "quality": named["edu-scorer"],
        "ablation": named["which filters pay"],
        "dataset": next(item["digest"] for item in sets if item["name"] == "harbour-web"),
        "dataset1": versions[-1]["digest"],
        "dataset2": versions[0]["digest"],
    }


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
                        page.wait_for_timeout(1200)
                        page.screenshot(path=folder / f"{name}-{width}-{scheme}.png")


if __name__ == "__main__":
    target, url, admin, worker, *names = sys.argv[1:]
    shoot(Service(url, admin, worker), Path(target), set(names))
