"""Filters: one file a kind, named like the kind in `workers.specs.curation.filters`, each with a `build(spec)`."""

from importlib import import_module
from typing import cast

from workers.curation.filters._shared import Filter, Verdict
from workers.specs.curation import filters as specs

__all__ = ["Filter", "Verdict", "build_filter"]


def build_filter(spec: specs.Filter) -> Filter:
    """The filter that a spec describes."""
    return cast(Filter, import_module(f"{__name__}.{spec.kind}").build(spec))
