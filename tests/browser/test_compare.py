"""Several runs over one another: choosing them, the base, what differs, what stands in the URL."""

import re

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.timeout(240)


def test_rows_are_chosen_by_key_and_compared(ui, ids):
    page = ui.go("/runs?q=family-base")
    expect(page.get_by_role("link", name="family-base-seed1")).to_be_visible()
    page.keyboard.press("j")
    page.keyboard.press("x")
    page.keyboard.press("j")
    page.keyboard.press("x")
    expect(page.get_by_role("region", name="Selection")).to_contain_text("2 selected")
    page.get_by_role("checkbox", name="Select family-base-seed1").click(modifiers=["Shift"])
    expect(page.get_by_role("region", name="Selection")).to_contain_text("3 selected")
    page.keyboard.press("c")
    expect(page.get_by_role("heading", level=1)).to_have_text("Compare 3 runs")
    expect(page.get_by_role("region", name="Runs").get_by_role("row")).to_have_count(4)


def test_the_base_the_noise_and_what_differs(ui, ids):
    page = ui.go(f"/compare?runs={ids['family']}")
    says = page.get_by_role("region", name="What the curves say")
    expect(says).to_contain_text(re.compile(r"family-lr-high looks worse by 0\.09\d\d, \d\.\d times the noise"))
    expect(says).to_contain_text("family-wider is not told apart")
    config = page.get_by_role("region", name="Configuration")
    keys = config.get_by_role("rowheader")
    expect(keys.nth(0)).to_have_text("optimizer.beta2")
    expect(config.get_by_role("rowheader", name="optimizer.kind")).to_have_count(0)
    row = config.get_by_role("row", name=re.compile("^optimizer.lr"))
    expect(row.locator(".differs")).to_have_text(["0.006"])
    page.get_by_role("row", name=re.compile("family-lr-high")).first.hover()
    page.get_by_role("button", name="Make family-lr-high the base").click()
    expect(page.get_by_role("region", name="Difference to family-lr-high, chart")).to_be_visible()
    assert "base=" in page.url
    expect(says).to_contain_text("noise of seeds is not known")
    config.get_by_role("button", name=re.compile("^All")).click()
    expect(config.get_by_role("rowheader", name="optimizer.kind")).to_be_visible()


def test_a_run_keeps_its_line_when_another_leaves(ui, ids):
    page = ui.go(f"/compare?runs={ids['family']}")
    rows = page.get_by_role("region", name="Runs")
    stroke = rows.get_by_role("row", name=re.compile("family-base-seed3")).locator("line").get_attribute("stroke")
    rows.get_by_role("row", name=re.compile("family-base-seed2")).hover()
    page.get_by_role("button", name="Take family-base-seed2 out").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Compare 5 runs")
    after = rows.get_by_role("row", name=re.compile("family-base-seed3")).locator("line")
    expect(after).to_have_attribute("stroke", stroke)
    page.get_by_role("button", name="Add run").click()
    page.get_by_role("searchbox", name="Search training runs").fill("base-seed2")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Compare 6 runs")
    assert page.url.count("%2C") + page.url.count(",") == 5


def test_the_view_stands_in_the_url(ui, ids):
    page = ui.go(f"/compare?runs={ids['family']}")
    page.get_by_role("button", name="Time", exact=True).click()
    page.get_by_role("combobox", name="Series").select_option("grad_norm")
    chart = page.get_by_role("region", name="Gradient norm, chart")
    expect(chart).to_have_attribute("data-points", "400")
    expect(page.get_by_role("region", name="Runs").get_by_text("\u2013", exact=True)).to_have_count(0)  # all are there
    over = chart.locator(".u-over")
    box = over.bounding_box()
    page.mouse.move(box["x"] + box["width"] * 0.25, box["y"] + 60)
    expect(chart.locator(".compare-tip")).to_contain_text("family-base-seed1")
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + 60, steps=5)
    page.mouse.up()
    expect(page.get_by_role("button", name=re.compile("Reset"))).to_be_visible()
    page.reload()
    # half of 200 s along time, where 400 steps were made
    expect(page.get_by_role("button", name=re.compile(r"^(49|50)\ss to 1\sm \d+\ss"))).to_be_visible()
    page.get_by_role("button", name="Table", exact=True).click()
    expect(page.get_by_role("columnheader", name="Time", exact=True)).to_be_visible()


def test_a_run_that_is_gone_is_told_and_taken_out(ui, ids):
    first = ids["family"].split(",")[0]
    page = ui.go(f"/compare?runs={first},01zzzzzzzzzzzzzzzzzzzzzzzz")
    expect(page.get_by_role("alert")).to_contain_text("could not be loaded")
    page.get_by_role("button", name="Take out").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Compare 1 run")
    expect(page.get_by_text("Add a run to see what differs.")).to_be_visible()
    ui.problems[:] = [line for line in ui.problems if "404" not in line]  # Chromium logs each refused request
