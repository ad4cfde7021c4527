"""Speaks to the service as a person and as a worker."""

import hashlib
import json
from dataclasses import dataclass, field
from typing import Any

import httpx


@dataclass
class Seeder:
    """Talks to the API as a person (`admin`) and as a worker."""

    url: str
    admin_token: str
    worker_token: str
    _seq: dict[str, int] = field(default_factory=dict)

    def post(self, path: str, body: Any) -> Any:
        """As a person."""
        return self._send("POST", path, self.admin_token, json=body)

    def get(self, path: str) -> Any:
        """As a person."""
        return self._send("GET", path, self.admin_token)

    def report(self, run_id: str, attempt: int = 1, **batch: Any) -> Any:
        """A batch of a run's worker; `seq` counts by itself."""
        seq = self._seq.get(run_id, 0)
        self._seq[run_id] = seq + 1
        body = {"attempt": attempt, "source": "worker", "seq": seq} | batch
        return self._send("POST", f"/ingest/runs/{run_id}", self.worker_token, json=body)

    def put_blob(self, content: bytes) -> dict[str, Any]:
        """Bytes into the store; `sha256` and `num_bytes` of them."""
        digest = hashlib.sha256(content).hexdigest()
        self._send("PUT", f"/blobs/{digest}", self.worker_token, content=content)
        return {"sha256": digest, "num_bytes": len(content)}

    def artifact(self, run_id: str, kind: str, name: str, files: dict[str, bytes], **metadata: Any) -> str:
        """Upload files and commit them as an artifact; its digest."""
        listed = [{"path": path, **self.put_blob(content)} for path, content in files.items()]
        step = metadata.pop("step", None)
        manifest = json.dumps([kind, name, step, listed], sort_keys=True).encode()
        digest = "sha256:" + hashlib.sha256(manifest).hexdigest()
        item = {"kind": kind, "name": name, "digest": digest, "step": step, "files": listed, "metadata": metadata}
        self.report(run_id, artifacts=[item])
        return digest

    def launch(self, spec: dict[str, Any], **more: Any) -> str:
        """Launch a run; its id."""
        return str(self.post("/runs", {"spec": spec} | more)["id"])

    def _send(self, method: str, path: str, token: str, **body: Any) -> Any:
        headers = {"Authorization": f"Bearer {token}"}
        answer = httpx.request(method, f"{self.url}/api/v1{path}", headers=headers, timeout=30, **body)
        if answer.is_error:
            raise RuntimeError(f"{method} {path}: {answer.status_code} {answer.text[:500]}")
        return answer.json() if answer.content else None


def event(kind: str, message: str, step: int | None = None, **data: Any) -> dict[str, Any]:
    """An event as a worker sends it."""
    return {"kind": kind, "message": message, "step": step, "data": data}


def progress(stage: str, done: float, total: float, unit: str) -> dict[str, Any]:
    """How far a stage is, as an event."""
    return event("progress", stage, stage=stage, done=done, total=total, unit=unit)
