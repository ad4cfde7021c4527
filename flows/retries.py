"""Which failures of a task are worth another try."""

from typing import Any

import httpx
from botocore.exceptions import BotoCoreError
from prefect import Task
from prefect.client.schemas.objects import State, TaskRun

from flows.api import ServiceError

_TRANSIENT = (httpx.HTTPError, ServiceError, BotoCoreError, ConnectionError, TimeoutError)


def worth_retrying(task: Task[..., Any], task_run: TaskRun, state: State[Any]) -> bool:
    """The network or the store failed: yes. Bad input, a bug, a full disk: no, it would fail again."""
    try:
        state.result()
    except _TRANSIENT:
        return True
    except Exception:
        return False
    return False
