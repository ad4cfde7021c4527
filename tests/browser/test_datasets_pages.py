"""The dataset pages on two versions that the real curation made: thresholds to try, labels, duplicates, comparison."""

import re

import pytest
from browser import PHONE
from corpus import ARABIC, NAME
from playwright.sync_api import expect
from test_ui import settle, violations

pytestmark = pytest.mark.timeout(300)

TABS = ("overview", "funnel", "rules", "samples", "clusters", "versions")
SHORT = "fineweb_quality.max_short_line_ratio"
WORDS = "gopher_quality.min_words"


def address(ids, version: int = 2, **search: str) -> str:
    """The page of a version."""
    query = "&".join(f"{name}={value}" for name, value in search.items())
    return f"/datasets/{ids[f'dataset{version}'].removeprefix('sha256:')}" + (f"?{query}" if query else "")


def histogram(seeder, digest: str, rule: str, language: str) -> dict:
    """What the service says of a rule."""
    found = seeder.get(f"/datasets/versions/{digest.removeprefix('sha256:')}/histograms")
    return next(item for item in found if item["rule"] == rule and item["language"] == language)


def beyond(item: dict, threshold: float) -> int:
    """Documents that a threshold on an edge drops."""
    edges, counts = item["edges"], item["documents"]
    if item["bound"] == "max":
        return sum(n for edge, n in zip(edges[:-1], counts, strict=True) if edge >= threshold)
    return sum(n for edge, n in zip(edges[1:], counts, strict=True) if edge <= threshold)


def test_the_list_names_languages_sources_and_history(ui, ids):
    page = ui.go("/datasets")
    row = page.get_by_role("row").filter(has_text=NAME)
    expect(row).to_contain_text("v2")
    expect(row.get_by_role("img", name=re.compile("Tokens of 2 versions"))).to_be_visible()
    for language in ("en", "de", "fr"):
        expect(row.get_by_text(language, exact=True)).to_be_visible()
    row.get_by_role("link", name=NAME).click()
    expect(page.get_by_role("heading", level=1)).to_have_text(NAME)


def test_tabs_stand_in_the_url_and_move_by_arrow_keys(ui, ids):
    page = ui.go(address(ids))
    overview = page.get_by_role("tab", name="Overview")
    expect(overview).to_have_attribute("aria-selected", "true")
    overview.focus()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("tab", name="Funnel")).to_be_focused()
    assert "tab=funnel" in page.url
    page.keyboard.press("End")
    expect(page.get_by_role("region", name="Versions")).to_be_visible()
    page.reload()
    expect(page.get_by_role("tab", name=re.compile("Versions"))).to_have_attribute("aria-selected", "true")


def test_the_funnel_is_by_source_and_in_tokens_and_a_rule_leads_to_its_samples(ui, ids):
    page = ui.go(address(ids, version=1, tab="funnel"))
    funnel = page.get_by_role("region", name="Funnel")
    scope = page.get_by_label("Language or source")
    scope.select_option("source mirror")
    expect(funnel.get_by_role("row", name=re.compile("^Read"))).to_contain_text("8")
    expect(funnel).to_contain_text("of 8 documents of mirror")
    page.get_by_role("button", name="Tokens, est.").click()
    expect(funnel).to_contain_text("estimated tokens of text")
    assert "by=tokens" in page.url and "source=mirror" in page.url
    scope.select_option("")
    page.get_by_role("button", name="Documents", exact=True).click()
    funnel.get_by_role("button", name="FineWeb quality").click()
    funnel.get_by_role("button", name="Max short line ratio").click()
    expect(page.get_by_role("article", name="Document")).to_contain_text("against a threshold of 0.67")
    assert f"rule={SHORT}" in page.url


def test_a_threshold_moved_by_keys_counts_as_the_histogram_does(ui, ids, seeder):
    item = histogram(seeder, ids["dataset1"], SHORT, "en")
    page = ui.go(address(ids, version=1, tab="rules", rule=SHORT, language="en"))
    slider = page.get_by_role("slider")
    expect(slider).to_have_attribute("aria-valuenow", "0.67")
    facts = page.locator(".consequences")
    expect(facts).to_contain_text(f"Dropped at 0.67{beyond(item, 0.67)}")
    page.get_by_label("Threshold", exact=True).fill("0.8")
    difference = beyond(item, 0.67) - beyond(item, 0.8)
    assert difference > 0
    expect(facts).to_contain_text(f"Dropped at 0.8{beyond(item, 0.8)}")
    expect(facts).to_contain_text(f"\u2212{difference}")
    expect(facts).to_contain_text("exact")
    between = page.get_by_role("region", name="Documents that it decides")
    expect(between).to_contain_text("Between 0.67 and 0.8")
    expect(between.get_by_role("list").get_by_role("button").first).to_contain_text("would be kept")
    slider.focus()
    before = float(slider.get_attribute("aria-valuenow"))
    page.keyboard.press("ArrowRight")
    assert float(slider.get_attribute("aria-valuenow")) > before
    page.get_by_role("button", name="Reset to 0.67").click()
    expect(slider).to_have_attribute("aria-valuenow", "0.67")
    assert "draft" not in page.url


def test_dragging_moves_the_threshold(ui, ids):
    page = ui.go(address(ids, version=1, tab="rules", rule=SHORT, language="en"))
    plot = page.locator(".histogram svg")
    plot.scroll_into_view_if_needed()
    box = plot.bounding_box()
    page.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + box["height"] * 0.6)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.2, box["y"] + box["height"] * 0.6, steps=4)
    page.mouse.up()
    expect(page.get_by_role("region", name="Thresholds tried")).to_contain_text("max_short_line_ratio")
    assert float(page.get_by_role("slider").get_attribute("aria-valuenow")) < 0.5


def test_thresholds_are_by_language_and_go_to_the_launch_page(ui, ids):
    page = ui.go(address(ids, tab="rules", rule=WORDS, language="de"))
    page.get_by_label("Threshold", exact=True).fill("35")
    tried = page.get_by_role("region", name="Thresholds tried")
    expect(tried).to_contain_text("min_words: 35")
    expect(tried).to_contain_text("- de")
    table = page.get_by_role("region", name="By language")
    expect(table.get_by_role("row", name=re.compile("^German"))).to_contain_text("35")
    expect(table.get_by_role("row", name=re.compile("^English"))).to_contain_text("30")
    tried.get_by_role("link", name="Launch with these").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Launch a run")
    difference = page.get_by_role("region", name="Difference", exact=True)
    expect(difference).to_contain_text("1 change")
    expect(difference.locator(".diff-line.plus")).to_contain_text("min_words: 35")
    expect(difference.locator(".diff-line.minus")).to_contain_text("min_words: 20")


def test_samples_show_all_figures_with_the_deciding_one_marked(ui, ids):
    page = ui.go(address(ids, version=1, tab="samples", rule=WORDS))
    figures = page.get_by_role("complementary", name="Figures of the document")
    decided = figures.locator("tr.decided")
    expect(decided).to_have_count(1)
    expect(decided).to_contain_text("Min words")
    expect(decided).to_contain_text("\u2265\u200950")
    assert figures.get_by_role("row").count() > 8
    first = page.get_by_role("list", name="Documents").get_by_role("button", pressed=True)
    shown = first.inner_text()
    page.keyboard.press("j")
    expect(first).not_to_have_text(shown)
    assert "sample=1" in page.url
    page.keyboard.press("k")
    page.get_by_role("searchbox").fill("no such words anywhere")
    expect(page.get_by_text("No document answers this filter")).to_be_visible()


def test_labels_are_set_and_undone_by_key(ui, ids, seeder):
    digest = ids["dataset2"].removeprefix("sha256:")

    def count() -> int:
        return seeder.get(f"/labels/summary?dataset={digest}")["num_labels"]

    page = ui.go(address(ids, tab="samples", verdict="kept", label="true"))
    bar = page.get_by_role("group", name="Label this document")
    expect(page.get_by_role("article", name="Document")).to_be_visible()
    with page.expect_response(lambda answer: answer.request.method == "POST" and "/labels" in answer.url):
        page.keyboard.press("4")
    expect(bar.get_by_role("status")).to_contain_text("1 in all")
    assert "sample=1" in page.url
    with page.expect_response(lambda answer: answer.request.method == "POST" and "/labels" in answer.url):
        bar.get_by_role("button", name=re.compile("^0")).click()
    expect(bar.get_by_role("status")).to_contain_text("2 in all")
    page.reload()
    expect(bar.get_by_role("status")).to_contain_text("2 in all")
    assert count() == 2
    page.keyboard.press("5")
    expect(bar.get_by_role("status")).to_contain_text("in all")
    with page.expect_response(lambda answer: answer.request.method in {"POST", "DELETE"} and "/labels" in answer.url):
        page.keyboard.press("u")
    expect(bar.get_by_role("status")).to_contain_text("2 in all")
    page.get_by_role("searchbox").focus()
    page.keyboard.type("5")
    expect(bar.get_by_role("status")).to_contain_text("2 in all")
    assert count() == 2


def test_duplicates_stand_side_by_side_with_their_own_words_marked(ui, ids):
    page = ui.go(address(ids, tab="clusters"))
    duplicates = page.get_by_role("region", name="Duplicates", exact=True)
    expect(duplicates).to_contain_text("5 documents are one cluster, 4 of them dropped")
    kept, dropped = (page.get_by_role("article", name=f"{side} document") for side in ("Kept", "Dropped"))
    expect(dropped).to_contain_text("alike")
    expect(kept.locator("mark").first).to_be_visible()
    assert "newly" in dropped.locator("mark").all_inner_texts()
    first = dropped.inner_text()
    page.keyboard.press("l")
    expect(dropped).not_to_have_text(first)
    assert "member=1" in page.url
    page.keyboard.press("j")
    expect(duplicates).to_contain_text("3 documents are one cluster")
    expect(dropped.locator("mark")).to_have_count(0)


def test_two_versions_are_compared(ui, ids):
    page = ui.go(address(ids, tab="versions"))
    page.get_by_role("button", name="Compare").click()
    assert "against=" in page.url
    recipe = page.get_by_role("region", name="Difference of the recipes")
    row = recipe.get_by_role("row").filter(has_text="min_words")
    expect(row).to_contain_text("50")
    expect(row).to_contain_text("30")
    documents = page.get_by_role("region", name="Documents of both versions")
    expect(documents.get_by_role("listitem").filter(has_text="only in v2")).not_to_contain_text(re.compile(r"\b0\b"))
    rules = page.get_by_role("region", name="Rules", exact=True)
    expect(rules.get_by_role("row").filter(has_text="max short line ratio")).to_contain_text("100.0")
    expect(page.get_by_role("region", name="Examples").get_by_role("article")).to_contain_text("Kept")


def test_text_of_documents_keeps_its_direction_and_shows_hidden_characters(ui, ids):
    page = ui.go(address(ids, tab="samples", verdict="all", q="evil"))
    text = page.get_by_role("region", name="Text of the document")
    expect(text.locator(".hidden-char")).to_have_text(["RLO", "PDF"])
    assert "\u202e" not in text.inner_text()
    page = ui.go(address(ids, tab="samples", rule="language.not_wanted"))
    expect(text).to_contain_text(ARABIC[:20])
    assert text.locator(".sample-line > span").last.evaluate("e => getComputedStyle(e).direction") == "rtl"
    page = ui.go(address(ids, tab="samples", verdict="all", q="line without end"))
    expect(text).to_contain_text("xxxx")
    assert text.evaluate("e => e.scrollWidth <= e.clientWidth + 1")


def test_a_version_without_figures_says_so(ui, ids):
    digest = ids["dataset"].removeprefix("sha256:")
    for tab, words in (("rules", "No figures"), ("clusters", "No duplicates to show")):
        page = ui.go(f"/datasets/{digest}?tab={tab}")
        expect(page.get_by_role("heading", name=words)).to_be_visible()
    ui.problems[:] = [line for line in ui.problems if "404" not in line]  # the browser itself logs each of them


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious_on_any_tab(scheme, request, ids):
    watched = request.getfixturevalue("ui" if scheme == "light" else "ui_dark")
    against = ids["dataset1"].removeprefix("sha256:")
    paths = {tab: address(ids, tab=tab) for tab in TABS}
    paths["labelling"] = address(ids, tab="samples", label="true")
    paths["tried"] = address(ids, tab="rules", draft=f"{SHORT}:0.5")
    paths["compare"] = address(ids, tab="versions", against=against)
    found = {}
    for name, path in paths.items():
        page = watched.go(path)
        settle(page)
        if bad := violations(page):
            found[name] = bad
    assert found == {}


def test_every_tab_fits_a_phone(ui, ids):
    width, height = PHONE
    ui.page.set_viewport_size({"width": width, "height": height})
    against = ids["dataset1"].removeprefix("sha256:")
    for path in [*(address(ids, tab=tab) for tab in TABS), address(ids, tab="versions", against=against)]:
        page = ui.go(path)
        settle(page)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, path


def test_a_name_of_300_characters_fits(ui, ids, seeder):
    name = ("a-very-long-name-" * 20)[:300]
    run_id = seeder.launch({"kind": "curation", "name": name})
    seeder.report(run_id, state="running")
    digest = seeder.artifact(run_id, "dataset", name, {"dataset.json": b"{}"}, statistics={}, lineage={})
    for path in ("/datasets", f"/datasets/{digest.removeprefix('sha256:')}"):
        for size in (1440, 390):
            ui.page.set_viewport_size({"width": size, "height": 900})
            page = ui.go(path)
            settle(page)
            assert page.evaluate("document.documentElement.scrollWidth") <= size, (path, size)
