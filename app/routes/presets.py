"""Presets and the schema of specs: what the launch form is made of."""

from typing import Any

from fastapi import APIRouter, Depends

from app.routes.deps import require
from app.schemas import Preset
from app.services import presets
from workers.specs import RUN_SPEC

router = APIRouter(prefix="/api/v1", tags=["specs"], dependencies=[Depends(require("viewer", "worker"))])


@router.get("/presets", operation_id="list_presets", summary="Ready-made specs")
async def list_presets() -> list[Preset]:
    """By name, each with its YAML and its whole spec."""
    return presets.list_presets()


@router.get("/presets/{name}", operation_id="get_preset", summary="A ready-made spec")
async def get_preset(name: str) -> Preset:
    """404 with the known names when there is none."""
    return presets.get_preset(name)


@router.get("/specs/schema", operation_id="get_spec_schema", summary="JSON Schema of all specs")
async def get_spec_schema() -> dict[str, Any]:
    """Draft 2020-12; one branch a kind of run."""
    return RUN_SPEC.json_schema()
