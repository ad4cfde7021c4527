"""Which parts the embedded stack has here: those whose address the settings do not give."""

import shutil
import subprocess
from pathlib import Path

from app.services import parts as part
from app.services.credentials import Credentials
from app.services.parts import Addresses, Part
from app.services.postgres import EmbeddedPostgres
from app.settings import Settings


def make_parts(
    settings: Settings, home: Path, ports: dict[str, int], secrets: Credentials, postgres: EmbeddedPostgres | None
) -> tuple[list[Part], str]:
    """The parts in the order of their start, and the public URL of the service."""
    at = _addresses(settings, home, ports, secrets, postgres)
    parts = [part.postgres_part(postgres, home)] if postgres else []
    parts.append(part.migrations_part(at))
    if not settings.prefect_api_url:
        parts.append(part.prefect_part(at, ports["prefect"]))
    if not settings.mlflow_url:
        parts.append(part.mlflow_part(at, ports["mlflow"]))
    parts += [part.api_part(at), part.deployments_part(at)]
    parts += [part.worker_part(at, pool) for pool in ("cpu", "control", *(["gpu"] if gpu_seen() else []))]
    return parts, at.public_url


def _addresses(
    settings: Settings, home: Path, ports: dict[str, int], secrets: Credentials, postgres: EmbeddedPostgres | None
) -> Addresses:
    prefect_here, mlflow_here = not settings.prefect_api_url, not settings.mlflow_url
    return Addresses(
        home=home,
        database_url=postgres.url("headrace") if postgres else settings.database_url.get_secret_value(),
        storage=settings.storage or str(home / "storage"),
        api_host=settings.host,
        api_port=ports["api"],
        public_url=settings.public_url.rstrip("/") or f"http://{part.reachable(settings.host)}:{ports['api']}",
        prefect_api_url=f"http://127.0.0.1:{ports['prefect']}/api" if prefect_here else settings.prefect_api_url,
        prefect_auth=secrets.prefect_auth if prefect_here else settings.prefect_auth.get_secret_value(),
        mlflow_url=f"http://127.0.0.1:{ports['mlflow']}" if mlflow_here else settings.mlflow_url,
        mlflow_username=secrets.mlflow_username if mlflow_here else settings.mlflow_username,
        mlflow_password=secrets.mlflow_password if mlflow_here else settings.mlflow_password.get_secret_value(),
        mlflow_session_key=secrets.mlflow_session_key,
        admin_token=settings.admin_token.get_secret_value() or secrets.admin_token,
        worker_token=settings.worker_token.get_secret_value() or secrets.worker_token,
        ui_dist=str(settings.ui_dist),
    )


def gpu_seen() -> bool:
    """Is there an NVIDIA GPU? Asked without torch, which takes seconds to import."""
    if Path("/dev/nvidia0").exists():
        return True
    program = shutil.which("nvidia-smi")
    if program is None:
        return False
    try:
        return subprocess.run([program, "-L"], capture_output=True, timeout=10).stdout.startswith(b"GPU ")
    except (OSError, subprocess.TimeoutExpired):
        return False
