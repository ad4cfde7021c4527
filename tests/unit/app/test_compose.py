"""docker-compose.yml and Dockerfile: known settings, pinned images, no default passwords, health checks."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from app.settings import Settings

ROOT = Path(__file__).parents[3]
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
TEXTS = {name: (ROOT / name).read_text() for name in ("docker-compose.yml", "Dockerfile", ".env.example")}
JOBS = {name for name, service in SERVICES.items() if service.get("restart") == "on-failure"}
SECRET = re.compile(
    "PASSWORD|TOKEN|SECRET|AUTH_STRING|SESSION_KEY|ACCESS_KEY|PREFECT_AUTH|ROOT_USER|CONNECTION_URL|STORE_URI"
    "|DATABASE_URL"
)


def test_has_every_part():
    wanted = {"postgres", "minio", "bucket", "prefect", "mlflow", "api", "worker-cpu", "worker-control", "worker-gpu"}
    assert wanted <= SERVICES.keys()


@pytest.mark.parametrize("name", TEXTS)
def test_every_headrace_variable_is_a_setting(name):
    known = {f"HEADRACE_{field.upper()}" for field in Settings.model_fields}
    used = set(re.findall(r"\bHEADRACE_[A-Z0-9_]+", TEXTS[name]))
    assert used
    assert used - known == set()


@pytest.mark.parametrize("service", SERVICES)
def test_image_is_pinned(service):
    tag = SERVICES[service]["image"].partition(":")[2]
    assert re.search(r"\d+\.\d+|\d{4}-\d\d-\d\d", tag), f"{service}: {SERVICES[service]['image']}"


def test_base_images_are_pinned():
    images = re.findall(r"^FROM (\S+)", TEXTS["Dockerfile"], re.M)
    assert images
    assert all(re.search(r":\d+\.\d+\.\d+", image) for image in images)


def test_no_secret_has_a_default():
    for name, service in SERVICES.items():
        for variable, value in service.get("environment", {}).items():
            if SECRET.search(variable) and variable not in {"MLFLOW_AUTH_CONFIG_PATH"}:
                assert ":?set in .env}" in value, f"{name}: {variable}={value}"
    for variable, rest in re.findall(r"\$\{(\w+)([^}]*)\}", TEXTS["docker-compose.yml"]):
        if SECRET.search(variable):
            assert rest.startswith(":?"), f"{variable} has a default or may be empty"


def test_example_names_every_required_variable_and_gives_no_value():
    required = set(re.findall(r"\$\{(\w+):\?", TEXTS["docker-compose.yml"]))
    given = dict(re.findall(r"^([A-Z_]+)=(.*)$", TEXTS[".env.example"], re.M))
    assert required == given.keys()
    assert set(given.values()) == {""}


@pytest.mark.parametrize("service", sorted(SERVICES.keys() - JOBS))
def test_has_health_check(service):
    check = SERVICES[service].get("healthcheck")
    assert check
    assert {"test", "interval", "timeout", "retries"} <= check.keys()


def test_waits_for_what_exists():
    for name, service in SERVICES.items():
        for other, how in service.get("depends_on", {}).items():
            assert other in SERVICES, f"{name} waits for {other}"
            wanted = "service_completed_successfully" if other in JOBS else "service_healthy"
            assert how["condition"] == wanted, f"{name} waits for {other}"


def test_only_the_api_is_published_and_on_loopback():
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert published.keys() == {"api"}
    assert all(port.startswith("127.0.0.1:") for port in published["api"])


def test_volumes_and_configs_are_declared():
    for name, service in SERVICES.items():
        for volume in service.get("volumes", []):
            assert volume.partition(":")[0] in COMPOSE["volumes"], name
        for config in service.get("configs", []):
            assert config["source"] in COMPOSE["configs"], name
