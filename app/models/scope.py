"""What a caller sees of the tables: rows of its projects, in every statement of the ORM.

A table with a column `project` belongs to that project, one with `run_id` to the project of its run. So another
project's id answers like one that does not exist, also in queries that nobody thought of. SQL written as text is not
reached: it names ids that were looked up before. https://docs.sqlalchemy.org/en/20/orm/session_events.html
"""

from functools import lru_cache

from sqlalchemy import ColumnElement, event, select
from sqlalchemy.orm import ORMExecuteState, with_loader_criteria
from sqlalchemy.orm.util import LoaderCriteriaOption

from app.db import SCOPE, ScopedSession
from app.models.base import Base
from app.models.runs import Run


@event.listens_for(ScopedSession, "do_orm_execute")
def _narrow(state: ORMExecuteState) -> None:
    projects = SCOPE.get()
    if projects is None or state.is_column_load or state.is_relationship_load:
        return
    if state.is_select or state.is_update or state.is_delete:
        state.statement = state.statement.options(*_criteria(projects))


@lru_cache(maxsize=1000)
def _criteria(projects: frozenset[str]) -> tuple[LoaderCriteriaOption, ...]:
    visible = sorted(projects)
    found = []
    for mapper in Base.registry.mappers:
        table = mapper.local_table
        condition: ColumnElement[bool]
        if "project" in table.c:
            condition = mapper.class_.project.in_(visible)
        elif "run_id" in table.c:
            runs = Run.__table__
            condition = mapper.class_.run_id.in_(select(runs.c.id).where(runs.c.project.in_(visible)))
        else:
            continue
        found.append(with_loader_criteria(mapper.class_, condition, include_aliases=True))
    return tuple(found)
