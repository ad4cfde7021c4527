"""From an empty service to a run whose curve moves: what a person does first."""

import re

import pytest
from playwright.sync_api import expect
from seed import column, progress

from workers.specs.training.model import Model

pytestmark = pytest.mark.timeout(180)


def test_without_a_session_it_says_how_to_log_in(browser, service):
    with browser.new_context() as tab:
        page = tab.new_page()
        page.goto(service.url)
        expect(page.get_by_role("heading", name="Log in to Headrace")).to_be_visible()
        expect(page.get_by_text("headrace login")).to_be_visible()


def test_empty_lists_say_what_to_do(ui):
    page = ui.go("/runs")
    expect(page.get_by_role("heading", name="No runs yet")).to_be_visible()
    expect(page.get_by_role("link", name="Launch run")).to_be_visible()
    titles = {"/datasets": "No datasets yet", "/evaluations": "No scores yet", "/workers": "No workers yet"}
    for path, title in titles.items():
        ui.go(path)
        expect(page.get_by_role("heading", name=title)).to_be_visible()


def test_launch_from_the_form_and_see_the_loss_move(ui, seeder):
    page = ui.go("/launch?preset=smol-5m")
    estimate = page.get_by_role("region", name="Estimate")
    expect(estimate).to_contain_text("Parameters")
    page.get_by_label("Name").fill("from the form")
    page.get_by_role("button", name=re.compile("^Optimizer")).click()
    page.get_by_label("Lr", exact=True).or_(page.get_by_label("Learning rate", exact=True)).first.fill("0.002")
    expect(page.get_by_role("status").filter(has_text="2 changes")).to_be_visible()
    expect(page.get_by_role("region", name="Difference to the preset")).to_contain_text("lr: 0.002")
    whole = seeder.get("/presets/smol-5m")["spec"]
    parameters = Model.model_validate(whole["model"]).num_parameters(8192)
    expect(estimate).to_contain_text(f"{parameters / 1e6:.3g}")
    page.get_by_role("button", name="Launch", exact=True).click()
    page.wait_for_url(re.compile(r"/runs/[^/?]+$"))
    run_id = page.url.rsplit("/", 1)[1]
    run = seeder.get(f"/runs/{run_id}")
    assert run["name"] == "from the form"
    assert run["spec"]["optimizer"]["lr"] == 0.002
    expect(page.get_by_role("heading", name="No points yet")).to_be_visible()

    steps = range(40)
    seeder.report(run_id, state="running", metrics=[column("loss", steps, [9 - s / 20 for s in steps])])
    chart = page.get_by_role("region", name="Training loss, chart")
    expect(chart).to_have_attribute("data-points", "40")
    expect(chart.locator("canvas")).to_be_visible()
    more = range(40, 90)
    done = progress("train", 90, run["spec"]["num_steps"], "steps")
    seeder.report(run_id, metrics=[column("loss", more, [7 - s / 90 for s in more])], events=[done])
    expect(chart).to_have_attribute("data-points", "90")  # without a reload
    expect(page.get_by_role("definition").filter(has_text="90 of")).to_be_visible()


def test_yaml_and_form_are_one_document_and_errors_stand_at_their_field(ui):
    page = ui.go("/launch?preset=smol-5m")
    page.get_by_role("button", name="YAML").first.click()
    editor = page.get_by_label("Spec as YAML")
    editor.fill(re.sub(r"num_steps: \d+", "num_steps: 0", editor.input_value(), count=1))
    expect(page.get_by_role("alert")).to_contain_text("Must be at least 1")
    page.get_by_role("button", name="Launch", exact=True).click(force=True)  # aria-disabled: it shows the error
    field = page.locator('[data-pointer="/num_steps"]')
    expect(field).to_contain_text("Must be at least 1")
    expect(field.locator("input")).to_have_value("0")
    field.locator("input").fill("123")
    expect(page.get_by_role("alert")).to_have_count(0)
    page.get_by_role("button", name="YAML").first.click()
    assert "num_steps: 123" in editor.input_value()


def test_what_only_the_service_knows_comes_back_to_its_field(ui):
    page = ui.go("/launch?preset=smol-5m")
    page.get_by_role("button", name=re.compile("^Model")).click()
    page.locator('[data-pointer="/model/num_heads"] input').fill("7")
    ui.page.get_by_role("button", name="Launch", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("not divisible by num_heads 7")
    ui.problems[:] = [line for line in ui.problems if "422" not in line]  # Chromium logs each refused request
