"""What a person does on the page of a run: answer, steer, acknowledge, look along other axes."""

import re

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.timeout(240)


def command_of(seeder, run_id, kind):
    """The newest command of a kind, as the service keeps it."""
    return [item for item in seeder.get(f"/runs/{run_id}/commands") if item["kind"] == kind][-1]


def test_a_proposal_is_approved_at_the_head_of_the_run(ui, ids, seeder):
    page = ui.go(f"/runs/{ids['asking']}")
    bar = page.get_by_role("region", name="Waits for approval")
    expect(bar).to_contain_text("Roll back, skip batches, lower LR, tighten clip at step 180?")
    bar.get_by_role("button", name="See why").click()
    card = page.get_by_role("region", name="Intervention at step 180")
    expect(card).to_contain_text("Gradient norm is 7.4 times its median")
    card.get_by_role("button", name=re.compile("^Approve")).click()
    expect(card).to_contain_text("Approved. The worker takes it with its next report.")
    assert command_of(seeder, ids["asking"], "approve")["arguments"] == {"intervention": "asks-i1"}


def test_rate_clip_rollback_skip_and_mode_are_sent_as_commands(ui, ids, seeder):
    run_id = ids["training"]
    page = ui.go(f"/runs/{run_id}")
    page.get_by_role("button", name="LR and clip").click()
    form = page.get_by_role("dialog", name="LR and clip")
    lr = next(item["last_value"] for item in seeder.get(f"/runs/{run_id}/metrics") if item["key"] == "lr")
    form.get_by_label("New learning rate").fill("nought")
    expect(form).to_contain_text("A number above 0")
    form.get_by_label("New learning rate").fill(str(lr / 4))
    expect(form).to_contain_text("0.25 of the schedule")
    form.get_by_role("button", name="Set LR").click()
    expect(page.get_by_text("Set lr scale sent, waiting for the worker")).to_be_visible()
    assert command_of(seeder, run_id, "set_lr_scale")["arguments"]["value"] == pytest.approx(0.25)

    page.get_by_role("button", name="Roll back…").click()
    form = page.get_by_role("dialog", name="Roll back…")
    expect(form.get_by_role("radio")).to_have_count(3)
    form.get_by_label("step 200").check()
    form.get_by_role("button", name="Roll back to step 200").click()
    expect(page.get_by_text("Rollback sent, waiting for the worker")).to_be_visible()
    assert command_of(seeder, run_id, "rollback")["arguments"] == {"step": 200}

    page.get_by_role("button", name="More").click()
    page.get_by_role("menuitem", name="Skip batches…").click()
    page.get_by_label("How many of the batches that come next").fill("8")
    page.get_by_role("button", name="Skip 8 batches").click()
    expect(page.get_by_text("Skip sent, waiting for the worker")).to_be_visible()
    page.get_by_role("button", name="More").click()
    page.get_by_role("menuitem", name="Controller…").click()
    page.get_by_role("radio", name=re.compile("^Approve")).check()
    page.get_by_role("button", name="Set the mode").click()
    expect(page.get_by_text("Set mode sent, waiting for the worker")).to_be_visible()
    assert command_of(seeder, run_id, "skip")["arguments"] == {"batches": 8}
    assert command_of(seeder, run_id, "set_mode")["arguments"] == {"mode": "approve"}


def test_a_finding_is_acknowledged_and_asks_again_after_undo(ui, ids, seeder):
    page = ui.go(f"/runs/{ids['training']}")
    card = page.get_by_role("region", name="Findings")
    expect(card).to_contain_text("2 not seen yet")
    card.get_by_role("button", name=re.compile("^Acknowledge: Gradient norm")).click()
    expect(card).to_contain_text("1 not seen yet")
    expect(card.get_by_role("listitem").last).to_contain_text("seen by")
    card.get_by_role("button", name=re.compile("^Undo: Gradient norm")).click()
    expect(card).to_contain_text("2 not seen yet")
    card.get_by_role("button", name="What was done").first.click()
    expect(page.get_by_role("region", name="Intervention at step 332")).to_be_visible()


def test_curves_lie_along_tokens_and_time_and_layers_under_them(ui, ids):
    page = ui.go(f"/runs/{ids['training']}")
    strip = page.get_by_role("region", name="Layer health")
    expect(strip.get_by_role("img")).to_have_attribute("aria-label", re.compile(r"layer 5 at step 3[2-4]0, \+\d+\.\d"))
    strip.get_by_role("combobox").select_option("weight_norm")
    expect(strip.get_by_role("img")).to_have_attribute("aria-label", re.compile("near their own past"))
    chart = page.get_by_role("region", name="Training loss, chart")
    expect(chart).to_have_attribute("data-points", "513")
    with page.expect_response(lambda answer: "/metrics/tokens" in answer.url):
        page.get_by_role("button", name="Tokens", exact=True).click()
    page.wait_for_url(re.compile("x=tokens"))
    page.wait_for_timeout(500)  # the panels are laid out anew along tokens
    over = chart.locator(".u-over")
    box = over.bounding_box()
    with page.expect_response(lambda answer: "/metrics/loss" in answer.url and "from_step" in answer.url):
        page.mouse.move(box["x"] + box["width"] * 0.4, box["y"] + 60)
        page.mouse.down()
        page.mouse.move(box["x"] + box["width"] * 0.6, box["y"] + 60, steps=5)
        page.mouse.up()
    assert int(re.search(r"from=(\d+)", page.url)[1]) in range(230, 251)  # the range stays one of steps
    page.get_by_role("slider", name="Smoothing").fill("0")
    expect(chart).not_to_contain_text("smoothed")
    assert "smooth=0" in page.url
    page.reload()
    expect(page.get_by_role("button", name=re.compile("^Steps 2[34]"))).to_be_visible()


def test_the_overview_shows_what_waits_and_what_runs(ui, ids):
    page = ui.go("/")
    needs = page.get_by_role("region", name="Needs you")
    expect(needs).to_contain_text("smol-8m-warmup200")
    expect(needs).to_contain_text("The budget of 8 interventions is used up.")
    expect(needs.get_by_role("button", name=re.compile("^Approve"))).to_be_visible()
    running = page.get_by_role("region", name="Running now")
    expect(running.get_by_role("row", name=re.compile("smol-8m-muon-seed3"))).to_contain_text("about")
    expect(page.get_by_role("region", name="Workers").get_by_text("no worker · 1 queued")).to_be_visible()
    expect(page.get_by_role("region", name="Scores of late")).to_contain_text("45.0\u2009%")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(f"/runs/{ids['asking']}"))


def test_two_checkpoints_stand_item_by_item(ui, ids):
    page = ui.go("/evaluations")
    table = page.get_by_role("region", name="Cloze")
    table.get_by_role("button", name="A: smol-8m-adamw-seed1, final").click()
    expect(page.get_by_text("Choose a B of the same task")).to_be_visible()
    table.get_by_role("button", name="B: smol-8m-muon-seed2, final").click()
    card = page.get_by_role("region", name="Item by item")
    card.get_by_role("button", name="A wrong, B right 10").click()
    rows = card.get_by_role("list", name="Items").get_by_role("listitem")
    expect(rows).to_have_count(10)
    expect(rows.first.get_by_role("img", name="A wrong")).to_be_visible()
    expect(rows.first.get_by_role("img", name="B right")).to_be_visible()
    card.get_by_role("button", name="German").click()
    expect(rows).to_have_count(3)
    detail = card.get_by_role("article", name="Item")
    first = detail.inner_text()
    page.keyboard.press("j")
    page.keyboard.press("j")
    expect(detail).not_to_have_text(first)
    expect(detail.locator(".right-choice")).to_contain_text("folds the sail.")
    assert "outcome=only_b" in page.url and "slice=de" in page.url
    assert page.evaluate("window.hacked") is None


def test_a_worker_joins_by_the_command_of_its_pool(ui, ids):
    page = ui.go("/workers")
    expect(page.get_by_role("region", name="Pool gpu")).to_contain_text("A run waits, and no worker is online")
    page.get_by_role("combobox", name="Pool").select_option("gpu")
    expect(page.get_by_role("region", name="Join a worker")).to_contain_text(
        f"headrace worker --pool gpu --url {ui.url}"
    )
