"""Settings in Chromium: a token is made, shown once, used and revoked; people get in; the audit log tells of it."""

import re

import httpx
import pytest
from playwright.sync_api import expect
from test_ui import settle, violations

LONG = "<img src=x onerror=window.hacked=1> " + "x" * 150


def call(service, token, path="/api/v1/runs"):
    return httpx.get(service.url + path, headers={"Authorization": f"Bearer {token}"}, timeout=10).status_code


def test_make_a_token_use_it_revoke_it(ui, service):
    page = ui.go("/settings")
    page.get_by_role("button", name="New token").click()
    form = page.get_by_role("form", name="New token")
    form.get_by_label("Name").fill("nightly")
    form.get_by_label("Role").select_option("viewer")
    form.get_by_role("button", name="Make token").click()
    shown = page.get_by_role("region", name="New token")
    token = shown.get_by_label("Token", exact=True).text_content()
    assert re.fullmatch(r"hr_[\w-]{43}", token)
    assert call(service, token) == 200
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    shown.get_by_role("button", name="Copy").click()
    expect(shown.get_by_role("button", name="Copied")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == token
    shown.get_by_role("button", name="I have it").click()
    page.reload()
    expect(page.get_by_role("cell", name="nightly", exact=True)).to_be_visible()
    assert token not in page.content()

    page.get_by_role("button", name="Revoke nightly…").click()
    button = page.get_by_role("button", name="Revoke token")
    expect(button).to_have_attribute("aria-disabled", "true")
    page.get_by_role("textbox", name=re.compile("Type")).fill("nightly")
    button.click()
    expect(page.get_by_role("cell", name="nightly", exact=True)).to_have_count(0)
    assert call(service, token) == 401

    page.get_by_role("tab", name="Audit").click()
    rows = page.get_by_role("row")
    expect(rows.nth(1)).to_contain_text("token.revoke")
    expect(rows.filter(has_text="token.create").first).to_contain_text("nightly")
    assert token not in page.content()


def test_a_user_gets_a_link_and_is_logged_out_again(ui, service, browser):
    page = ui.go("/settings?tab=projects")
    form = page.get_by_role("form", name="New project")
    form.get_by_label("New project").fill("tides")
    form.get_by_label("Running at most").fill("2")
    form.get_by_role("button", name="Make project").click()
    expect(page.get_by_role("cell", name="tides", exact=True)).to_be_visible()
    page.get_by_role("tab", name="Users").click()
    form = page.get_by_role("form", name="New user")
    form.get_by_label("Name").fill("Ada")
    form.get_by_label("Project").select_option("tides")
    form.get_by_role("button", name="Make user").click()
    expect(page.get_by_role("cell", name="tides operator")).to_be_visible()
    page.get_by_role("button", name="Login link for Ada").click()
    url = page.get_by_role("region", name="Login link").get_by_label("Login link").text_content()
    with browser.new_context() as hers:
        other = hers.new_page()
        other.goto(url)
        other.goto(service.url + "/settings")
        expect(other.get_by_text("Ada, operator")).to_be_visible()
        expect(other.get_by_role("tab")).to_have_text(["Projects", "Browsers"])
        expect(other.get_by_role("cell", name="tides", exact=True)).to_be_visible()
        expect(other.get_by_role("cell", name="default", exact=True)).to_have_count(0)
        page.get_by_role("tab", name="Browsers").click()
        page.get_by_role("button", name=re.compile("Log out .* of Ada")).click()
        expect(page.get_by_role("cell", name="Ada", exact=True)).to_have_count(0)
        other.goto(service.url + "/settings")
        expect(other.get_by_role("heading", level=1)).to_have_text("Log in to Headrace")


def test_the_chosen_project_is_what_the_pages_are_about(ui, service):
    headers = {"Authorization": f"Bearer {service.admin_token}"}
    for name in ("first", "second"):
        httpx.post(f"{service.url}/api/v1/projects", headers=headers, json={"id": name}, timeout=10)
        body = {"spec": {"kind": "training", "name": f"run of the {name}"}}
        httpx.post(f"{service.url}/api/v1/runs?project={name}", headers=headers, json=body, timeout=10)
    page = ui.go("/runs")
    expect(page.get_by_role("link", name="run of the first")).to_be_visible()
    page.get_by_label("Project").select_option("second")
    page.wait_for_url("**/runs")
    expect(page.get_by_role("link", name="run of the second")).to_be_visible()
    expect(page.get_by_role("link", name="run of the first")).to_have_count(0)
    page.get_by_label("Project").select_option("All projects")
    expect(page.get_by_role("link", name="run of the first")).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious_and_a_phone_scrolls_down_only(scheme, request, service):
    watched = request.getfixturevalue("ui" if scheme == "light" else "ui_dark")
    headers = {"Authorization": f"Bearer {service.admin_token}"}
    httpx.post(f"{service.url}/api/v1/tokens", headers=headers, json={"name": LONG, "role": "viewer"}, timeout=10)
    found = {}
    for tab in ("tokens", "projects", "users", "browsers", "audit"):
        page = watched.go(f"/settings?tab={tab}")
        settle(page)
        if tab == "tokens":
            page.get_by_role("button", name="New token").click()
        if bad := violations(page):
            found[tab] = bad
        page.set_viewport_size({"width": 390, "height": 844})
        assert page.evaluate("document.documentElement.scrollWidth") <= 390, tab
        page.set_viewport_size({"width": 1280, "height": 800})
    assert found == {}
    assert page.evaluate("window.hacked") is None
