"""Any request that the OpenAPI document allows, and many that it does not: no server error, no undocumented answer."""

import threading
import time

import httpx
import pytest
import schemathesis
import uvicorn
from hypothesis import HealthCheck, Phase, Verbosity, given
from hypothesis import settings as hypothesis_settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.core.failures import Failure, FailureGroup
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from app.main import create_app

ENDLESS = {"/api/v1/stream"}
"""Its answer never ends by itself; tests/integration/test_stream.py reads it."""
EXAMPLES = 6


def not_a_server_error(ctx, response, case):
    assert response.status_code < 500, f"{case.method} {case.formatted_path}: {response.status_code} {response.text}"


@pytest.fixture
def served(settings, orchestrator, prefect_url):
    """The service on a port, in a thread with a loop of its own, beside a real Prefect."""
    settings = settings.model_copy(update={"prefect_api_url": prefect_url})
    config = uvicorn.Config(create_app(settings, orchestrator), port=0, log_level="critical", lifespan="on")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    deadline = time.monotonic() + 60
    while not server.started and time.monotonic() < deadline:
        time.sleep(0.05)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    thread.join(30)


@pytest.mark.timeout(600)
def test_no_request_breaks_the_service_or_gets_an_answer_that_is_not_documented(served, settings):
    headers = {"Authorization": f"Bearer {settings.admin_token.get_secret_value()}"}
    with httpx.Client(base_url=served, headers=headers, timeout=30) as client:
        run = client.post("/api/v1/runs", json={"spec": {"kind": "training"}}).raise_for_status().json()
    schema = schemathesis.openapi.from_url(f"{served}/api/v1/openapi.json", headers=headers)
    schema.config.update(base_url=served)
    wrong = []
    num_operations = 0
    for result in schema.get_all_operations():
        operation = result.ok()
        if operation.path in ENDLESS:
            continue
        num_operations += 1
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
            try:
                fuzz(operation, mode, headers, run["id"])
            except Unsatisfiable:
                assert mode is GenerationMode.NEGATIVE, operation.label  # it takes nothing that could be wrong
            except (Failure, FailureGroup, AssertionError) as error:
                wrong.append(f"{operation.label} ({mode.value}): {error}")
    assert num_operations > 50
    assert not wrong, "\n\n".join(wrong)


def fuzz(operation, mode, headers, run_id):
    """Some requests to one operation, half of them to a run that is there."""
    number = 0

    @given(case=operation.as_strategy(generation_mode=mode))
    @hypothesis_settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        verbosity=Verbosity.quiet,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    def ask(case):
        nonlocal number
        number += 1
        if "run_id" in case.path_parameters and number % 2:
            case.path_parameters["run_id"] = run_id
        response = case.call(headers=headers, timeout=30)
        checks = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
        case.validate_response(response, checks=checks)

    ask()
