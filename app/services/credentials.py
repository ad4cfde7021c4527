"""The secrets of the embedded stack: made once, kept in HOME/secrets.json, readable by its owner alone."""

import json
import secrets
from dataclasses import asdict, dataclass, field
from pathlib import Path

from app.services.files import write_text


def _secret() -> str:
    return secrets.token_urlsafe(32)


@dataclass(frozen=True)
class Credentials:
    """What the parts of one stack know of one another. Postgres keeps its own password beside its data."""

    prefect_auth: str = field(default_factory=lambda: f"headrace:{_secret()}", repr=False)
    """`user:password` of the Prefect server."""
    mlflow_username: str = "headrace"
    mlflow_password: str = field(default_factory=_secret, repr=False)
    mlflow_session_key: str = field(default_factory=_secret, repr=False)
    """Signs the cookies of MLflow's own pages."""
    admin_token: str = field(default_factory=lambda: f"hr_{_secret()}", repr=False)
    worker_token: str = field(default_factory=lambda: f"hr_{_secret()}", repr=False)


def read_credentials(home: Path) -> Credentials | None:
    """The secrets of the stack in `home`, or None when it was never started.

    Raises ValueError with what to do when the file cannot be understood.
    """
    path = home / "secrets.json"
    try:
        return Credentials(**json.loads(path.read_text()))
    except FileNotFoundError:
        return None
    except (TypeError, json.JSONDecodeError) as error:
        raise ValueError(
            f"{path} is damaged ({error}): restore it from a backup, or move {home} away to start from nothing"
        ) from error


def make_credentials(home: Path) -> Credentials:
    """The secrets of the stack in `home`; made and kept at the first call."""
    found = read_credentials(home)
    if found is None:
        found = Credentials()
        write_text(home / "secrets.json", json.dumps(asdict(found), indent=2) + "\n", mode=0o600)
    return found
