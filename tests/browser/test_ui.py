"""The pages on real answers of the service: what they show, that nothing hostile runs, that anyone can use them."""

import re

import pytest
from browser import AXE
from playwright.sync_api import expect
from seed import XSS

pytestmark = pytest.mark.timeout(240)


def pages(ids: dict[str, str]) -> dict[str, str]:
    """Each page by its name."""
    digest = ids["dataset"].removeprefix("sha256:")
    return {
        "runs": "/runs?children=true",
        "curves": f"/runs/{ids['training']}?iv=i1",
        "log": f"/runs/{ids['training']}?tab=log",
        "config": f"/runs/{ids['training']}?tab=config",
        "artifacts": f"/runs/{ids['training']}?tab=artifacts",
        "summary": f"/runs/{ids['finished']}?tab=summary",
        "stages": f"/runs/{ids['pipeline']}",
        "funnel": f"/runs/{ids['curation']}",
        "scores": f"/runs/{ids['evaluation']}",
        "quality": f"/runs/{ids['quality']}",
        "ablation": f"/runs/{ids['ablation']}",
        "ablation stages": f"/runs/{ids['ablation']}?tab=stages",
        "failed": f"/runs/{ids['failed']}",
        "overview": "/",
        "asking": f"/runs/{ids['asking']}?iv=asks-i1",
        "curves by time": f"/runs/{ids['training']}?x=time&log=true",
        "compare": f"/compare?runs={ids['family']}",
        "compare none": "/compare",
        "launch": "/launch",
        "launch training": "/launch?preset=smol-5m",
        "datasets": "/datasets",
        "dataset": f"/datasets/{digest}",
        "evaluations": "/evaluations",
        "item by item": f"/evaluations?a={ids['score']}&b={ids['score2']}",
        "workers": "/workers",
        "webhooks": "/webhooks",
        "settings": "/settings",
        "nothing": "/nowhere",
        "curves by FLOPs": f"/runs/{ids['training']}?x=flops",
    }


def settle(page):
    """Until nothing loads any more."""
    expect(page.locator("[aria-label=Loading]")).to_have_count(0)
    expect(page.locator(".skeleton")).to_have_count(0)


def violations(page) -> list[str]:
    """What axe finds serious or critical."""
    page.evaluate(AXE.read_text())  # over the debugger: the page's CSP would refuse a script element
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")["violations"]
    bad = [item for item in found if item["impact"] in {"serious", "critical"}]
    return [f"{item['id']}: {node['target']} {node['failureSummary']}" for item in bad for node in item["nodes"]]


def test_runs_stand_in_groups_and_the_filter_stands_in_the_url(ui, ids):
    page = ui.go("/runs")
    rows = page.locator("table")
    expect(rows.get_by_role("button", name=re.compile("Needs you"))).to_be_visible()
    expect(page.get_by_role("link", name="smol-8m-pipeline")).to_have_count(0)
    page.get_by_role("button", name="With stages").click()
    expect(page.get_by_role("link", name="smol-8m-pipeline")).to_be_visible()
    page.keyboard.press("/")
    page.keyboard.type("muon")
    expect(page.get_by_role("link", name="smol-8m-muon-seed3")).to_be_visible()
    expect(page.get_by_role("link", name="smol-8m-warmup200")).to_have_count(0)
    assert "q=muon" in page.url
    page.reload()
    expect(page.get_by_role("searchbox")).to_have_value("muon")
    expect(page.get_by_role("link", name="smol-8m-warmup200")).to_have_count(0)


def test_interventions_are_markers_and_open_their_card(ui, ids):
    page = ui.go(f"/runs/{ids['training']}")
    first = page.get_by_role("button", name=re.compile("Intervention at step 332.*Recovered"))
    expect(first).to_be_visible()
    expect(page.get_by_role("button", name=re.compile("Intervention at step 470.*Verifying"))).to_be_visible()
    first.click()
    card = page.get_by_role("region", name="Intervention at step 332")
    expect(card).to_contain_text("Gradient norm is 7.4 times its median")
    expect(card).to_contain_text("grad_norm.z > 8 for 2 steps")
    expect(card).to_contain_text("1 → 0.5")
    expect(card).to_contain_text("after 40 steps, at step 372")
    assert "iv=i1" in page.url
    card.get_by_role("button", name="Next intervention").click()
    expect(page.get_by_role("region", name="Intervention at step 470")).to_contain_text("Lower LR")


def test_the_rolled_back_branch_stays_and_zoom_fetches_anew(ui, ids):
    page = ui.go(f"/runs/{ids['training']}")
    chart = page.get_by_role("region", name="Training loss, chart")
    expect(chart).to_contain_text("rolled back")
    expect(chart).to_have_attribute("data-points", "513")
    over = chart.locator(".u-over")
    box = over.bounding_box()
    with page.expect_response(lambda answer: "/metrics/loss" in answer.url and "from_step" in answer.url):
        page.mouse.move(box["x"] + box["width"] * 0.4, box["y"] + 60)
        page.mouse.down()
        page.mouse.move(box["x"] + box["width"] * 0.6, box["y"] + 60, steps=5)
        page.mouse.up()
    expect(page.get_by_role("button", name=re.compile("^Steps 2[34]"))).to_be_visible()
    assert int(re.search(r"from=(\d+)", page.url)[1]) in range(230, 251)
    over.dblclick()
    expect(page.get_by_role("button", name=re.compile("^Steps"))).to_have_count(0)
    page.get_by_role("button", name="Table").click()
    expect(page.get_by_role("columnheader", name="Gradient norm")).to_be_visible()


def test_a_command_is_sent_and_a_stop_wants_the_name(ui, ids, seeder):
    page = ui.go(f"/runs/{ids['training']}")
    page.get_by_role("button", name="Checkpoint").click()
    expect(page.get_by_text("Checkpoint sent, waiting for the worker")).to_be_visible()
    reply = seeder.report(ids["training"])
    command = next(item for item in reply["commands"] if item["kind"] == "checkpoint")
    seeder.report(ids["training"], acks=[command["id"]])
    expect(page.get_by_text("Checkpoint sent")).to_have_count(0)
    page.get_by_role("button", name="Stop…").click()
    stop = page.get_by_role("button", name="Stop run")
    expect(stop).to_have_attribute("aria-disabled", "true")
    page.get_by_role("button", name="Keep it running").click()
    assert seeder.get(f"/runs/{ids['training']}")["state"] == "running"


def test_a_stop_stops(ui, seeder):
    run_id = seeder.launch({"kind": "training", "name": "to be stopped"})
    page = ui.go(f"/runs/{run_id}")
    page.get_by_role("button", name="Stop…").click()
    page.get_by_role("textbox", name=re.compile("Type")).fill("to be stopped")
    page.get_by_role("button", name="Stop run").click()
    expect(page.locator(".page-head .pill")).to_have_text(re.compile("Cancel"))
    assert seeder.get(f"/runs/{run_id}")["state"] in {"cancelling", "cancelled"}


def test_what_has_ended_is_retried_launched_again_and_deleted(ui, seeder):
    run_id = seeder.launch({"kind": "training", "name": "to be deleted"})
    seeder.post(f"/runs/{run_id}/cancel", {})
    page = ui.go(f"/runs/{run_id}")
    page.get_by_role("link", name="Launch again…").click()
    expect(page.locator(".launch-editor h2")).to_have_text("to be deleted")
    page.go_back()
    page.get_by_role("button", name="Retry").click()
    expect(page.get_by_role("link", name="Goes on from an earlier run")).to_be_visible()
    retried = page.url.rpartition("/")[2]
    assert seeder.get(f"/runs/{retried}")["retry_of"] == run_id
    seeder.post(f"/runs/{retried}/cancel", {})
    page.goto(page.url.replace(retried, run_id))
    page.get_by_role("button", name="More").click()
    page.get_by_role("menuitem", name="Delete…").click()
    delete = page.get_by_role("button", name="Delete run")
    expect(delete).to_have_attribute("aria-disabled", "true")
    page.get_by_role("textbox", name=re.compile("Type")).fill("to be deleted")
    delete.click()
    expect(page).to_have_url(re.compile("/runs$"))
    row = page.locator(f"[data-row='{run_id}']")
    expect(page.get_by_text("to be deleted is deleted")).to_be_visible()
    expect(row).to_have_count(0)
    page.get_by_role("button", name="Undo").click()
    expect(row).to_be_visible()
    assert seeder.get(f"/runs/{retried}")["retry_of"] == run_id, "nothing was deleted"
    page.go_back()
    page.get_by_role("button", name="More").click()
    page.get_by_role("menuitem", name="Delete…").click()
    page.get_by_role("textbox", name=re.compile("Type")).fill("to be deleted")
    with page.expect_response(lambda answer: answer.request.method == "DELETE" and answer.ok):
        delete.click()
        page.get_by_role("button", name="Close").last.click()
    expect(row).to_have_count(0)
    assert seeder.get(f"/runs/{retried}")["retry_of"] is None, "what it was taken up by stays"


def test_of_many_runs_only_those_in_view_are_drawn_and_keys_reach_the_others(ui, ids, seeder):
    seeder.post("/projects", {"id": "tides"})
    made = [seeder.launch({"kind": "training", "name": f"many {n:03}"}) for n in range(120)]
    seeder.post("/runs?project=tides", {"spec": {"kind": "training", "name": "many " + "of a long name " * 18}})
    page = ui.go("/runs?q=many")
    expect(page.get_by_text("121 of", exact=False).first).to_be_visible()
    rows = page.locator("[data-row]")
    first = page.get_by_role("link", name=re.compile("many of a long name"))
    expect(first).to_have_attribute("title", re.compile("^many (of a long name ){18}"))
    expect(page.get_by_role("row").filter(has=first)).to_contain_text("tides")
    assert 10 < rows.count() < 100
    assert page.locator(f"[data-row='{made[0]}']").count() == 0
    for _ in range(60):
        page.keyboard.press("j")
    expect(page.locator(":focus")).to_have_text("many 061")
    page.evaluate("window.scrollTo(0, document.documentElement.scrollHeight)")
    last = page.locator(f"[data-row='{made[0]}']")
    expect(last).to_be_visible()
    page.get_by_role("checkbox", name="Select many 000").click()
    page.evaluate("window.scrollTo(0, 0)")
    page.get_by_role("checkbox", name="Select many 119").click(modifiers=["Shift"])
    expect(page.get_by_role("region", name="Selection")).to_contain_text("120 selected")


def test_what_is_not_there_is_told_with_a_way_on(ui, ids):
    page = ui.go("/nowhere")
    expect(page.get_by_role("heading", level=1)).to_have_text("There is no such page")
    page.get_by_role("link", name="Go to the runs").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Runs")
    for path in ("/runs/01zzzzzzzzzzzzzzzzzzzzzzzz", f"/datasets/{'0' * 64}"):
        page = ui.go(path)
        expect(page.get_by_role("alert")).to_contain_text("could not be loaded")
        assert violations(page) == []
    ui.problems[:] = [line for line in ui.problems if "404" not in line]  # Chromium logs each refused request


def test_the_log_is_searched_and_follows_its_end(ui, ids, seeder):
    page = ui.go(f"/runs/{ids['training']}?tab=log")
    expect(page.get_by_text("a line with markup")).to_be_visible()
    seeder.report(ids["training"], logs=[{"level": "info", "message": "the newest line", "step": 513}])
    expect(page.get_by_text("the newest line")).to_be_visible()
    page.get_by_role("searchbox").fill("parameters")
    expect(page.get_by_text("8.4 M parameters")).to_be_visible()
    expect(page.get_by_text("the newest line")).to_have_count(0)


def test_a_pipeline_links_its_stages(ui, ids):
    page = ui.go(f"/runs/{ids['pipeline']}")
    stages = page.get_by_role("list", name="Stages of the pipeline").get_by_role("listitem")
    expect(stages).to_have_count(4)
    stages.nth(1).get_by_role("link", name="Training").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("smol-8m-pipeline")


def test_samples_by_rule_show_the_figure_its_threshold_and_the_span(ui, ids):
    page = ui.go(f"/datasets/{ids['dataset'].removeprefix('sha256:')}?tab=funnel")
    page.get_by_role("button", name="FineWeb quality", exact=True).click()
    page.get_by_role("button", name="Max short line ratio", exact=True).click()
    assert "rule=fineweb_quality.max_short_line_ratio" in page.url
    document = page.get_by_role("article", name="Document")
    expect(document).to_contain_text("0.64 against a threshold of 0.67")
    expect(document.locator("mark")).to_have_text(["Berth 4", "3.2 m"])
    page.get_by_role("button", name="Kept", exact=True).click()
    expect(document).to_contain_text("it passed every rule")


def test_scores_carry_their_intervals_and_items(ui, ids):
    page = ui.go("/evaluations")
    row = page.get_by_role("region", name="Cloze").get_by_role("row").nth(1)
    expect(row).to_contain_text("45.0\u2009%")
    expect(row).to_contain_text("38.5\u2009%")
    row.get_by_role("button", name="smol-8m-muon-seed2, final", exact=True).click()
    items = page.get_by_role("region", name="Items")
    items.get_by_role("button", name="Wrong").click()
    expect(items.locator("summary").filter(has_text="right")).to_have_count(0)
    expect(items.locator("summary").filter(has_text="wrong")).to_have_count(10)


def test_a_scorer_shows_its_figures_at_each_threshold(ui, ids):
    page = ui.go(f"/runs/{ids['quality']}")
    card = page.get_by_role("region", name="Quality at each threshold")
    row = card.get_by_role("row", name=re.compile("^3"))
    expect(row).to_contain_text("84.0\u2009%")
    expect(row).to_contain_text("81\u2009% to 87\u2009%")
    expect(card).to_contain_text("Better than length alone by +0.381")


def test_an_ablation_ranks_its_variants_with_intervals(ui, ids):
    page = ui.go(f"/runs/{ids['ablation']}")
    card = page.get_by_role("region", name="Ranking")
    expect(card.get_by_role("heading")).to_have_text("no-repetition makes better data")
    expect(card.get_by_role("row").nth(1)).to_contain_text("\u22120.0214")
    expect(card.get_by_role("row").filter(has_text="no-dedup")).to_contain_text("not told apart")
    page.get_by_role("tab", name="Stages").click()
    expect(page.get_by_role("link", name="Training no-dedup seed 0")).to_be_visible()


def test_hostile_text_stays_text(ui, ids):
    for path in ("/runs", f"/runs/{ids['hostile']}", f"/runs/{ids['training']}?tab=log", "/evaluations"):
        page = ui.go(path)
        settle(page)
    page = ui.go(f"/datasets/{ids['dataset'].removeprefix('sha256:')}?verdict=kept")
    page = ui.go(f"/datasets/{ids['dataset'].removeprefix('sha256:')}?q=tries")
    expect(page.get_by_role("article", name="Document")).to_contain_text(XSS)
    assert page.evaluate("window.hacked") is None
    assert page.locator("main img, main script").count() == 0


def test_the_policy_forbids_foreign_scripts_and_inline_ones(ui, ids):
    page = ui.go("/runs")
    assert all("script-src 'self'" in policy and "object-src 'none'" in policy for policy in ui.policies if policy)
    assert any(ui.policies)
    page.evaluate("""() => {
        const script = document.createElement('script');
        script.textContent = 'window.inline = 1';
        document.head.append(script);
    }""")
    assert page.evaluate("window.inline") is None
    refused = [line for line in ui.problems if "Content Security Policy" in line]
    assert refused
    ui.problems[:] = [line for line in ui.problems if line not in refused]


def test_no_page_needs_inline_styles(ui, ids):
    for path in pages(ids).values():
        page = ui.go(path)
        settle(page)
        assert page.locator("style").count() == 0, path


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(scheme, request, ids):
    watched = request.getfixturevalue("ui" if scheme == "light" else "ui_dark")
    found = {}
    for name, path in pages(ids).items():
        page = watched.go(path)
        settle(page)
        if name == "launch training":
            for section in page.locator(".form-section.depth-0 > button").all():
                section.click()
        if bad := violations(page):
            found[name] = bad
    assert found == {}


def test_the_menu_and_the_help_open_on_a_phone_and_by_key(browser, service, ids, ui):
    page = ui.go("/runs")
    page.set_viewport_size({"width": 390, "height": 844})
    page.get_by_role("button", name="Menu").click()
    page.get_by_role("dialog").get_by_role("link", name="Datasets").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Datasets")
    page.set_viewport_size({"width": 1200, "height": 844})
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_contain_text("Drag")
    for path in pages(ids).values():
        page.set_viewport_size({"width": 390, "height": 844})
        ui.go(path)
        settle(page)
        assert page.evaluate("document.documentElement.scrollWidth") <= 390, path
