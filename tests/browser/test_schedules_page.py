"""Schedules and webhooks as a person meets them, on a real Prefect server and a real receiver."""

import json
import re
import secrets
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from browser import PHONE
from playwright.sync_api import expect
from service import serve
from test_ui import settle, violations

pytestmark = pytest.mark.timeout(300)
LONG = "Each night " + "over all the languages of the harbour " * 8


@pytest.fixture(scope="module")
def service(postgres, prefect_url, tmp_path_factory):
    """An empty service beside a real Prefect."""
    database = postgres.create_database(f"ui_{secrets.token_hex(6)}")
    changes = {"prefect_api_url": prefect_url, "webhook_private_hosts": True}
    with serve(database, tmp_path_factory.mktemp("service"), **changes) as started:
        yield started


@pytest.fixture(scope="module")
def receiver():
    """Takes requests; answers 500 to every second one."""
    heard = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            heard.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204 if len(heard) % 2 else 500)
            self.end_headers()

        def log_message(self, *_):
            """No noise."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/hook", heard
    server.shutdown()
    server.server_close()


def test_a_schedule_is_made_paused_edited_run_and_deleted(ui, seeder):
    page = ui.go("/schedules")
    expect(page.get_by_role("heading", name="No schedules yet")).to_be_visible()
    expect(page.get_by_text("headrace schedules create")).to_be_visible()
    page.get_by_role("button", name="New schedule…").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Name", exact=True).fill("nightly")
    dialog.get_by_label("What for").fill(LONG)
    dialog.get_by_label("Preset").select_option("smol-5m")
    dialog.get_by_label("Changes as YAML").fill("name: by night")
    dialog.get_by_label("Time zone").select_option("Europe/Berlin")
    dialog.get_by_role("button", name="Weekday mornings").click()
    expect(dialog.get_by_role("status")).to_contain_text("At 08:00 on Monday through Friday")
    expect(dialog.get_by_role("status")).to_contain_text(re.compile(r"Next \w+,? \d\d \w+,? 08:00"))
    assert violations(page) == []
    dialog.get_by_role("button", name="Make schedule").click()
    row = page.get_by_role("row").filter(has_text="nightly")
    expect(row).to_contain_text("At 08:00 on Monday through Friday")
    expect(row).to_contain_text("Europe/Berlin")
    made = seeder.get("/schedules/nightly")
    assert (made["preset"], made["overrides"], made["paused"]) == ("smol-5m", {"name": "by night"}, False)

    row.get_by_role("switch").click()
    expect(row.get_by_role("switch")).to_have_attribute("aria-checked", "false")
    assert seeder.get("/schedules/nightly")["paused"]

    row.get_by_role("button", name="More of nightly").click()
    page.get_by_role("menuitem", name="Edit…").click()
    dialog.get_by_role("button", name="At a distance").click()
    expect(dialog.get_by_role("status")).to_contain_text("Every 6 hours")
    dialog.get_by_role("button", name="Save schedule").click()
    expect(row).to_contain_text("Every 6 hours")

    row.get_by_role("button", name="More of nightly").click()
    page.get_by_role("menuitem", name="Run now").click()
    last = page.get_by_role("region", name="Last times of nightly")
    expect(last).to_contain_text("Waiting")
    expect(last).to_contain_text("by hand")
    assert "open=nightly" in page.url
    assert violations(page) == []

    row.get_by_role("button", name="More of nightly").click()
    page.get_by_role("menuitem", name="Delete").click()
    expect(page.get_by_role("heading", name="No schedules yet")).to_be_visible()
    page.get_by_role("button", name="Undo").click()
    expect(row.first).to_be_visible()
    assert [item["name"] for item in seeder.get("/schedules")["items"]] == ["nightly"]
    row.first.get_by_role("button", name="More of nightly").click()
    page.get_by_role("menuitem", name="Delete").click()
    expect(page.get_by_text("nightly launches nothing any more")).to_be_visible()
    page.goto(page.url.partition("?")[0])  # a page that is left takes it away at once
    until = time.monotonic() + 6  # the toast alone would take longer
    while seeder.get("/schedules")["items"] and time.monotonic() < until:
        page.wait_for_timeout(100)
    assert seeder.get("/schedules")["items"] == []
    page.reload()
    expect(page.get_by_role("heading", name="No schedules yet")).to_be_visible()


def test_a_wrong_expression_is_told_where_it_stands(ui):
    page = ui.go("/schedules")
    page.get_by_role("button", name="New schedule…").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Name", exact=True).fill("wrong")
    dialog.get_by_label("Cron expression").fill("99 2 * * *")
    expect(dialog.get_by_role("status")).to_contain_text("Bad minute")
    dialog.get_by_role("button", name="Make schedule").click()
    expect(dialog.get_by_label("Cron expression")).to_have_attribute("aria-invalid", "true")
    dialog.get_by_role("button", name="Cancel").click()
    ui.problems[:] = [text for text in ui.problems if "422" not in text]  # the browser notes refused requests itself


def test_a_webhook_is_made_tested_and_its_log_read(ui, receiver):
    url, heard = receiver
    page = ui.go("/webhooks")
    expect(page.get_by_role("heading", name="No webhooks yet")).to_be_visible()
    page.get_by_role("button", name="New webhook…").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Name", exact=True).fill("chat")
    dialog.get_by_label("Address").fill(url)
    dialog.get_by_label("A run completed").check()
    assert violations(page) == []
    dialog.get_by_role("button", name="Make webhook").click()
    expect(dialog.get_by_text(re.compile("^whsec_"))).to_be_visible()
    dialog.get_by_role("button", name="I have kept it").click()
    row = page.get_by_role("row").filter(has_text="chat").first
    expect(row).to_contain_text("run.finished")
    for became in ("Delivered", "Failed"):
        row.get_by_role("button", name="Send test").click()
        log = page.get_by_role("region", name="Deliveries of chat")
        expect(log.get_by_role("row").nth(1)).to_contain_text(became)
    assert [notice["type"] for notice in heard] == ["test", "test"]
    expect(log).to_contain_text("it answers 500")
    assert violations(page) == []
    row.get_by_role("switch").click()
    expect(row.get_by_role("switch")).to_have_attribute("aria-checked", "false")
    page.reload()
    expect(page.get_by_text(re.compile("^whsec_"))).to_have_count(0)


@pytest.mark.parametrize("path", ["/schedules?open=nightly", "/webhooks"])
def test_pages_fit_a_phone_and_the_dark(ui_dark, seeder, path):
    body = {
        "name": "nightly",
        "preset": "pipeline",
        "timing": {"kind": "cron", "cron": "0 2 * * *"},
        "description": LONG,
    }
    if not any(item["name"] == "nightly" for item in seeder.get("/schedules")["items"]):
        seeder.post("/schedules", body)
    page = ui_dark.page
    page.set_viewport_size({"width": PHONE[0], "height": PHONE[1]})
    ui_dark.go(path)
    settle(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE[0]
    assert violations(page) == []
