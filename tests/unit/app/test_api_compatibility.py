"""Nothing that callers of the REST API depend on goes away unnoticed."""

import copy
import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from api_outline import breaks, kept, outline, today


def test_callers_of_the_kept_outline_are_not_broken() -> None:
    found = breaks(kept(), today())
    assert not found, "\n".join([*found, "if it is meant: python tests/api_outline.py"])


DOCUMENT: dict[str, Any] = {
    "components": {
        "schemas": {
            "Item": {
                "type": "object",
                "required": ["name"],
                "properties": {
                    "name": {"type": "string"},
                    "state": {"enum": ["on", "off"]},
                    "size": {"anyOf": [{"type": "integer"}, {"type": "null"}]},
                },
            }
        }
    },
    "paths": {
        "/items": {
            "post": {
                "parameters": [{"in": "query", "name": "dry", "schema": {"type": "boolean"}}],
                "requestBody": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Item"}}}},
                "responses": {
                    "201": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Item"}}}}
                },
            }
        }
    },
}


def changed(change: str) -> dict[str, Any]:
    document = copy.deepcopy(DOCUMENT)
    item, operation = document["components"]["schemas"]["Item"], document["paths"]["/items"]["post"]
    match change:
        case "operation gone":
            document["paths"] = {}
        case "field gone":
            del item["properties"]["size"]
        case "value gone":
            item["properties"]["state"]["enum"] = ["on"]
        case "value more":
            item["properties"]["state"]["enum"] = ["on", "off", "broken"]
        case "field required":
            item["required"].append("state")
        case "query required":
            operation["parameters"][0]["required"] = True
        case "null given":
            item["properties"]["name"] = {"anyOf": [{"type": "string"}, {"type": "null"}]}
        case "field more":
            item["properties"]["colour"] = {"type": "string"}
        case "query more":
            operation["parameters"].append({"in": "query", "name": "fast", "schema": {"type": "boolean"}})
    return document


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("operation gone", "is gone"),
        ("field gone", "/size any more"),
        ("value gone", '"off"'),
        ("value more", '"broken"'),
        ("field required", "requires"),
        ("query required", "requires query dry"),
        ("null given", "null"),
    ],
)
def test_a_break_is_found(change: str, words: str) -> None:
    found = breaks(outline(DOCUMENT), outline(changed(change)))
    assert any(words in line for line in found), found


@pytest.mark.parametrize("change", ["field more", "query more", "none"])
def test_what_is_added_breaks_nobody(change: str) -> None:
    assert breaks(outline(DOCUMENT), outline(changed(change))) == []
