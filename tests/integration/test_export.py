"""Exports through the real API, read back with pyarrow and csv: every point once, at any page size; no formulas."""

import csv
import io
import json
import math
import random

import pyarrow.parquet
import pytest

from app.services import export

RUNS = "/api/v1/runs"
KEYS = ["loss", '=HYPERLINK("http://x")', "@sum", " -1+1", "plain,comma"]
WORDS = {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}


@pytest.fixture
async def run(launch, report, monkeypatch):
    """A run with several series on two branches, NaN and infinities among the points, and pages of seven."""
    monkeypatch.setattr(export, "_POINTS_A_PAGE", 7)
    monkeypatch.setattr(export, "_EVENTS_A_PAGE", 3)
    made = await launch(name="../\r\n a b\"c'")
    chance, truth, metrics = random.Random(3), {}, []
    for key in KEYS:
        for branch in (0, 2):
            steps = sorted(chance.sample(range(1000), chance.choice([1, 7, 30])))
            values = [chance.choice([chance.gauss(0, 1), math.nan, math.inf, -math.inf, -0.0]) for _ in steps]
            truth |= {(key, branch, step): value for step, value in zip(steps, values, strict=True)}
            words = [value if math.isfinite(value) else WORDS[str(value)] for value in values]
            column = {"key": key, "branch": branch, "steps": steps, "values": words}
            metrics.append(column | {"times": [1.7e9] * len(steps)})
    logs = [{"message": f"{sign}cmd {n}"} for n, sign in enumerate(["=", "+", "", "\t="])]
    assert (await report(made["id"], state="running", metrics=metrics, logs=logs)).status_code == 200
    return made | {"truth": truth}


@pytest.fixture
def get(api, run):
    async def call(**parameters):
        answer = await api.get(f"{RUNS}/{run['id']}/export", params=parameters)
        assert answer.status_code == 200, answer.text
        return answer

    return call


def same(rows, truth):
    found = {(row["key"], int(row["branch"]), int(row["step"])): float(row["value"]) for row in rows}
    assert len(found) == len(rows), "no point twice"
    assert {place: repr(value) for place, value in found.items()} == {p: repr(v) for p, v in truth.items()}


async def test_parquet_and_json_lines_hold_every_point_once(get, run):
    answer = await get(format="parquet")
    table = pyarrow.parquet.read_table(io.BytesIO(answer.content))
    same(table.to_pylist(), run["truth"])
    assert {str(moment) for moment in table["time"].to_pylist()} == {"2023-11-14 22:13:20+00:00"}
    lines = (await get(format="jsonl")).text.splitlines()
    same([json.loads(line) for line in lines], run["truth"])
    some = {place: value for place, value in run["truth"].items() if place[0] in KEYS[:2]}
    same(pyarrow.parquet.read_table(io.BytesIO((await get(format="parquet", keys=KEYS[:2])).content)).to_pylist(), some)


async def test_csv_opens_in_a_spreadsheet_without_a_formula(get, run):
    answer = await get(format="csv")
    assert answer.headers["content-disposition"] == 'attachment; filename="a-b-c-metrics.csv"'
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert {row["key"] for row in rows} == {"loss", '\'=HYPERLINK("http://x")', "'@sum", "' -1+1", "plain,comma"}
    same([row | {"key": row["key"].removeprefix("'")} for row in rows], run["truth"])
    events = list(csv.DictReader(io.StringIO((await get(format="csv", what="events")).text)))
    assert [row["message"] for row in events if row["kind"] == "log"] == ["'=cmd 0", "'+cmd 1", "cmd 2", "'\t=cmd 3"]
    assert len({row["id"] for row in events}) == len(events) >= 6


async def test_nothing_to_export_is_an_empty_file_and_what_is_not_there_404(api, get, launch, run):
    empty = await launch(name="empty")
    url = f"{RUNS}/{empty['id']}/export"
    assert (await api.get(url, params={"format": "csv"})).text == "key,branch,step,value,time\n"
    assert (await api.get(url, params={"format": "jsonl"})).text == ""
    content = (await api.get(url, params={"format": "parquet"})).content
    assert pyarrow.parquet.read_table(io.BytesIO(content)).num_rows == 0
    assert (await api.get(f"{RUNS}/nope/export")).status_code == 404
    assert (await api.get(url, params={"keys": "nope"})).status_code == 404
    assert (await api.get(url, params={"format": "xlsx"})).status_code == 422
