"""Notices as e-mail, by SMTP. https://www.rfc-editor.org/rfc/rfc5321"""

import asyncio
import smtplib
import ssl
from email.message import EmailMessage
from email.utils import format_datetime, make_msgid

from app.models import Notice
from app.settings import Settings

_SECONDS = 20.0
_TITLES = {
    "schedule.missed": "a schedule launched nothing",
    "run.finished": "completed",
    "run.failed": "failed",
    "finding.opened": "finding",
    "intervention.waiting": "waits for your approval",
    "intervention.failed": "an intervention did not help",
    "worker.dead": "its worker died",
}


class MailError(RuntimeError):
    """The mail server could not be reached or refused the message."""


class Mailer:
    """Sends notices to the people of the settings."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.recipients = _listed(settings.mail_to)
        self.kinds = frozenset(_listed(settings.mail_events))

    def wants(self, notice: Notice) -> bool:
        """Is it for e-mail? Children's ends are not: their parent's is."""
        if not self._settings.smtp_host or not self.recipients or notice.kind not in self.kinds:
            return False
        return not (notice.kind.startswith("run.") and notice.data.get("parent_id"))

    async def send(self, notice: Notice) -> None:
        """Send one message to all. Raises MailError."""
        message = self.write(notice)
        try:
            await asyncio.to_thread(self._send, message)
        except (OSError, smtplib.SMTPException) as error:
            raise MailError(f"{self._settings.smtp_host}: {type(error).__name__}: {error}"[:500]) from error

    def write(self, notice: Notice) -> EmailMessage:
        """Subject, facts line by line, and the page to open. Texts of people lose their line breaks in headers."""
        data, settings = notice.data, self._settings
        sender = settings.mail_from or f"headrace@{settings.smtp_host}"
        about = str(data.get("run_name") or data.get("schedule") or data.get("worker") or notice.kind)
        what = _TITLES.get(notice.kind, notice.kind.replace(".", " "))
        message = EmailMessage()
        message["From"], message["To"] = sender, ", ".join(self.recipients)
        message["Subject"] = " ".join(f"[Headrace] {about}: {what}".split())[:200]
        message["Date"] = format_datetime(notice.created_at)
        message["Message-ID"] = make_msgid(idstring=notice.id, domain=sender.rpartition("@")[2])
        message["Auto-Submitted"] = "auto-generated"
        lines = [f"{key.replace('_', ' ')}: {value}" for key, value in data.items() if value not in (None, "", {})]
        page = f"\n{settings.public_url.rstrip('/')}/runs/{data['run_id']}\n" if "run_id" in data else ""
        message.set_content("\n".join([f"{notice.kind}", "", *lines]) + f"\n{page}")
        return message

    def _send(self, message: EmailMessage) -> None:
        settings = self._settings
        tls = ssl.create_default_context()
        if settings.smtp_security == "tls":
            server: smtplib.SMTP = smtplib.SMTP_SSL(
                settings.smtp_host, settings.smtp_port, timeout=_SECONDS, context=tls
            )
        else:
            server = smtplib.SMTP(settings.smtp_host, settings.smtp_port, timeout=_SECONDS)
        with server:
            if settings.smtp_security == "starttls":
                server.starttls(context=tls)
            if settings.smtp_username:
                server.login(settings.smtp_username, settings.smtp_password.get_secret_value())
            server.send_message(message)


def _listed(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]
