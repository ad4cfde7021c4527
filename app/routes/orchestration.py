"""Dependency: what starts flow runs for this app."""

from typing import Annotated

from fastapi import Depends, Request

from app.services.orchestrator import Orchestrator


def orchestrator(request: Request) -> Orchestrator:
    """The orchestrator of this app."""
    found: Orchestrator = request.app.state.orchestrator
    return found


OrchestratorOf = Annotated[Orchestrator, Depends(orchestrator)]
