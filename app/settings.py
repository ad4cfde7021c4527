"""Every environment variable of Headrace, once. All begin with `HEADRACE_`."""

from functools import lru_cache
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """Read from the environment. The embedded stack (`headrace up`) sets them for its parts."""

    model_config = SettingsConfigDict(env_prefix="HEADRACE_", use_attribute_docstrings=True, extra="ignore")

    home: Path = Path(".headrace")
    """Data folder of the embedded stack, of corpora and of workers' caches."""
    database_url: SecretStr = SecretStr("")
    """`postgresql://user:password@host:port/headrace`; empty: the embedded Postgres."""
    storage: str = ""
    """Where artifacts live: a folder or `s3://bucket/prefix`; empty: `storage` in the data folder."""
    s3_endpoint_url: str | None = None
    """Endpoint of an S3 that is not Amazon's."""
    host: str = "127.0.0.1"
    """Address that the API binds to. Any other than loopback makes the token rules strict."""
    port: int = Field(0, ge=0, le=65535)
    """Port of the API; 0: a free one, remembered."""
    public_url: str = ""
    """Address under which browsers and workers reach the API; empty: http://host:port."""
    allowed_hosts: str = ""
    """More Host names that are answered, comma separated (loopback and the public URL's host always are)."""
    postgres_port: int = Field(0, ge=0, le=65535)
    """Port of the embedded Postgres; 0: a free one, remembered."""
    prefect_port: int = Field(0, ge=0, le=65535)
    """Port of the embedded Prefect server; 0: a free one, remembered."""
    mlflow_port: int = Field(0, ge=0, le=65535)
    """Port of the embedded MLflow server; 0: a free one, remembered."""
    prefect_api_url: str = ""
    """Prefect server, `http://host:port/api`; empty: the embedded one."""
    prefect_auth: SecretStr = SecretStr("")
    """`user:password` of the Prefect server."""
    mlflow_url: str = ""
    """MLflow server; empty: the embedded one."""
    mlflow_username: str = ""
    """User of the MLflow server."""
    mlflow_password: SecretStr = SecretStr("")
    """Password of the MLflow server."""
    admin_token: SecretStr = SecretStr("")
    """Token with the role admin that is made valid at start. The embedded stack generates one."""
    worker_token: SecretStr = SecretStr("")
    """Token with the role worker that is made valid at start. The embedded stack generates one."""
    ui_dist: Path = Path("ui/dist")
    """Folder of the built UI."""
    dead_after_seconds: float = Field(120.0, ge=5)
    """Silence of a running run's worker after which the reconciler gives the run a new attempt."""
    reconcile_seconds: float = Field(2.0, ge=0.2)
    """Time between two looks of the reconciler."""
    rate_limit_per_minute: int = Field(6000, ge=0)
    """Requests that one token, browser or address may make in a minute before 429; 0: any number. What workers report,
    files and Prefect's protocol do not count."""
    keep_raw_days: int | None = Field(None, ge=1)
    """Days after a run's end for which single points of its series are kept, unless the run says otherwise; empty: for
    ever. Roll-ups over 16 steps and more always stay."""
    watch_seconds: float = Field(30.0, ge=0.2)
    """Time between two looks for flow runs that nobody ends, dead workers and missed schedules."""
    notify_window_seconds: float = Field(3600.0, ge=0)
    """The same thing (a detector's finding on a run, a dead worker) is told once within this time."""
    webhook_private_hosts: bool = False
    """Let webhooks go to private networks and to this machine. Off: such addresses are refused."""
    smtp_host: str = ""
    """Mail server; empty: no e-mail is sent."""
    smtp_port: int = Field(587, ge=1, le=65535)
    """Port of the mail server."""
    smtp_security: Literal["starttls", "tls", "none"] = "starttls"
    """How the connection to the mail server is protected; `none` only within one machine or network."""
    smtp_username: str = ""
    """User of the mail server; empty: no login."""
    smtp_password: SecretStr = SecretStr("")
    """Password of the mail server."""
    mail_from: str = ""
    """Sender of notifications; empty: headrace@ and the mail server's name."""
    mail_to: str = ""
    """Who gets notifications, comma separated."""
    mail_events: str = "run.failed,finding.opened,intervention.waiting,intervention.failed,worker.dead,schedule.missed"
    """What they are told, comma separated; runs that have a parent are left to its mail."""
    warm_runs: bool = True
    """For workers: flow runs are forks of a process that holds Prefect and torch (half a GB), and start seconds sooner;
    off: each loads for itself."""
    api_url: str = ""
    """For workers and the CLI: address of the service; empty: that of the embedded stack."""
    project: str = ""
    """For the CLI: the project that commands are about; empty: all that the token sees, and `default` for launches."""
    api_token: SecretStr = SecretStr("")
    """For workers and the CLI: their token; empty: that of the embedded stack."""


@lru_cache
def settings() -> Settings:
    """The settings of this process."""
    return Settings()
