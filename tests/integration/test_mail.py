"""Notices by e-mail, through a real SMTP server: what is in them, once in a window, and tried again."""

import asyncore
import email
import smtpd
import threading
from email import policy

import pytest
from sqlalchemy import text

from app.services.dispatcher import Dispatcher

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


class MailServer(smtpd.SMTPServer):
    """Keeps what it is sent; refuses as many messages as a test says."""

    def __init__(self):
        self.sockets = {}
        super().__init__(("127.0.0.1", 0), None, map=self.sockets)
        self.port = self.socket.getsockname()[1]
        self.messages, self.refuse, self.stopped = [], 0, False

    def process_message(self, peer, mailfrom, rcpttos, data, **_):
        if self.refuse:
            self.refuse -= 1
            return "451 4.3.0 come back later"
        self.messages.append((mailfrom, rcpttos, email.message_from_bytes(data, policy=policy.default)))
        return None

    def serve(self):
        while not self.stopped:
            asyncore.loop(timeout=0.05, count=1, map=self.sockets)


@pytest.fixture
def mail_server():
    server = MailServer()
    thread = threading.Thread(target=server.serve, daemon=True)
    thread.start()
    yield server
    server.stopped = True
    thread.join(5)
    asyncore.close_all(server.sockets)


@pytest.fixture
def settings(settings, mail_server):
    changes = {
        "smtp_host": "127.0.0.1",
        "smtp_port": mail_server.port,
        "smtp_security": "none",
        "mail_from": "headrace@example.com",
        "mail_to": "anna@example.com, ben@example.com",
        "public_url": "https://headrace.example.com",
    }
    return settings.model_copy(update=changes)


@pytest.fixture
async def dispatch(core, settings):
    await core.state.dispatcher.stop()

    async def call(later=False):
        if later:
            async with core.state.database.begin() as session:
                await session.execute(text("UPDATE deliveries SET not_before = now() WHERE state = 'pending'"))
        fresh = Dispatcher(settings, core.state.database)
        while await fresh.step():
            pass
        await fresh.stop()

    return call


async def test_a_failure_is_mailed_to_all_with_what_to_do(mail_server, launch, report, dispatch):
    run = await launch(name="Six languages\r\nBcc: everyone@example.com")
    await report(run["id"], state="failed", error="ValueError: the folder is empty")
    await dispatch()
    ((sender, recipients, message),) = mail_server.messages
    assert (sender, recipients) == ("headrace@example.com", ["anna@example.com", "ben@example.com"])
    assert message["Subject"] == "[Headrace] Six languages Bcc: everyone@example.com: failed"
    assert message["Bcc"] is None, "a name cannot add a header"
    body = message.get_content()
    assert "ValueError: the folder is empty" in body
    assert f"https://headrace.example.com/runs/{run['id']}" in body


async def test_children_and_good_ends_are_not_mailed(mail_server, launch, report, dispatch):
    parent = await launch(spec={"kind": "pipeline"})
    child = await launch(parent_id=parent["id"])
    await report(child["id"], state="failed", error="x")
    await report((await launch())["id"], state="completed")
    await dispatch()
    assert mail_server.messages == []


async def test_the_same_finding_is_mailed_once(mail_server, launch, report, dispatch):
    run = await launch()
    for number in range(5):
        found = {"id": f"f{number}", "detector": "spike", "step": number, "message": "loss spike"}
        await report(run["id"], state="running", findings=[found])
        await dispatch()
    assert len(mail_server.messages) == 1


async def test_a_mail_server_that_refuses_is_tried_again(mail_server, launch, report, dispatch):
    mail_server.refuse = 1
    await report((await launch())["id"], state="failed", error="x")
    await dispatch()
    assert mail_server.messages == []
    await dispatch()
    assert mail_server.messages == [], "it waits for its time"
    await dispatch(later=True)
    assert len(mail_server.messages) == 1
