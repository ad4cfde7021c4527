"""Estimates through the real application: whose vocabulary, whose speed, and what trains nothing."""

import pytest
from sqlalchemy import text

ESTIMATE = "/api/v1/estimate"
TRAINING = {"kind": "training", "num_steps": 100, "schedule": {"kind": "wsd", "warmup_steps": 5}}


async def test_the_vocabulary_is_that_of_the_request_the_pipeline_or_the_default(api):
    default = (await api.post(ESTIMATE, json={"spec": TRAINING})).json()
    assert (default["vocab_size"], default["vocab_source"]) == (8192, "default")
    asked = (await api.post(ESTIMATE, json={"spec": TRAINING, "vocab_size": 500})).json()
    assert (asked["vocab_size"], asked["vocab_source"]) == (500, "request")
    width = 256
    assert default["training"]["num_parameters"] - asked["training"]["num_parameters"] == (8192 - 500) * width
    pipeline = {"kind": "pipeline", "curation": {"tokenizer": {"vocab_size": 1000}}, "training": TRAINING}
    found = (await api.post(ESTIMATE, json={"spec": pipeline})).json()
    assert (found["vocab_size"], found["vocab_source"]) == (1000, "pipeline")
    preset = await api.post(ESTIMATE, json={"preset": "fineweb"})
    assert preset.status_code in {200, 422}


async def test_wrong_specs_and_those_that_train_nothing_are_refused(api):
    wrong = await api.post(ESTIMATE, json={"spec": TRAINING | {"num_steps": 0}})
    assert wrong.status_code == 422
    assert wrong.json()["errors"][0]["pointer"] == "/spec/num_steps"
    nothing = await api.post(ESTIMATE, json={"spec": {"kind": "curation"}})
    assert nothing.status_code == 422
    assert "trains no model" in nothing.json()["detail"]
    both = await api.post(ESTIMATE, json={"spec": TRAINING, "preset": "fineweb"})
    assert both.status_code == 422


async def test_speed_is_that_of_completed_runs_of_the_pool(api, core, launch):
    before = (await api.post(ESTIMATE, json={"spec": TRAINING})).json()["training"]
    for speed, steps, compiled in ((2e9, 100, False), (4e9, 50, False), (9e9, 3, False), (8e9, 100, True)):
        run = await launch(spec=TRAINING | {"compile": compiled})
        summary = f'{{"flops_per_second": {speed}, "steps": {steps}, "dtype": "bfloat16"}}'
        async with core.state.database.engine.begin() as connection:
            query = text("UPDATE runs SET state = 'completed', summary = cast(:s AS jsonb) WHERE id = :i")
            await connection.execute(query, {"s": summary, "i": run["id"]})
    after = (await api.post(ESTIMATE, json={"spec": TRAINING})).json()["training"]
    assert after["calibration"]["flops_per_second"] == 3e9, "the median of two: a run of 3 steps says nothing"
    assert after["training_seconds"] == pytest.approx(after["total_flops"] / 3e9)
    assert before["total_flops"] == after["total_flops"]
    assert after["memory_bytes"] < before["memory_bytes"], "these runs kept their activations in half of the bytes"
    gpu = (await api.post(ESTIMATE, json={"spec": TRAINING | {"resources": {"gpus": 1}}})).json()["training"]
    assert gpu["calibration"]["source"] == "one H100"
    compiled = (await api.post(ESTIMATE, json={"spec": TRAINING | {"compile": True}})).json()["training"]
    assert compiled["calibration"]["flops_per_second"] == 8e9
