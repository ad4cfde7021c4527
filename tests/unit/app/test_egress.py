"""Addresses that people give never lead into private networks, whatever a name resolves to and when."""

import asyncio
import base64
import hashlib
import hmac
import ipaddress
import socket

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.services import egress
from app.services.signatures import new_secret, signed_headers

PUBLIC = "93.184.216.34"


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "127.9.9.9", "0.0.0.0", "10.1.2.3", "172.16.0.1", "172.31.255.255", "192.168.1.1", "100.64.0.1",
        "169.254.169.254", "224.0.0.1", "255.255.255.255", "240.0.0.1", "::1", "::", "fe80::1", "fc00::1", "fd12::9",
        "ff02::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "64:ff9b::7f00:1",
        "64:ff9b::a00:1", "2002:7f00:1::", "2002:c0a8:101::1", "::7f00:1", "2001:db8::1",
    ],
)  # fmt: skip
def test_addresses_that_are_not_public(address):
    assert not egress.is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize("address", [PUBLIC, "8.8.8.8", "2606:2800:220:1:248:1893:25c8:1946"])
def test_addresses_that_are_public(address):
    assert egress.is_public(ipaddress.ip_address(address))


@given(st.ip_addresses(v=4))
def test_an_ipv4_address_stays_what_it_is_inside_ipv6(address):
    mapped = ipaddress.ip_address(f"::ffff:{address}")
    if not egress.is_public(address):
        assert not egress.is_public(mapped)


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/x", "http://localhost:8080/", "http://[::1]/", "http://[::ffff:127.0.0.1]/", "http://0/",
        "http://2130706433/", "http://0x7f.1/", "http://127.1/", "https://10.0.0.1/", "http://[fe80::1%25eth0]/",
        "http://169.254.169.254/latest/meta-data/", "ftp://example.com/", "file:///etc/passwd", "http:///x",
        "gopher://127.0.0.1/", "nonsense", "http://user:pw@8.8.8.8/", "http://8.8.8.8:99999/",
    ],
)  # fmt: skip
async def test_urls_that_are_refused(url):
    with pytest.raises(egress.RefusedAddressError):
        await egress.find_target(url)


async def test_a_public_address_is_pinned():
    target = await egress.find_target(f"https://{PUBLIC}:8443/hook?x=1")
    assert (target.address, str(target.pinned)) == (PUBLIC, f"https://{PUBLIC}:8443/hook?x=1")


async def test_private_hosts_can_be_allowed():
    assert (await egress.find_target("http://127.0.0.1:9/", allow_private=True)).address == "127.0.0.1"


@pytest.fixture
def names(monkeypatch):
    """What names resolve to, one list of addresses for each time that they are asked for."""
    answers: dict[str, list[list[str]]] = {}
    asked: list[str] = []
    real = socket.getaddrinfo

    def resolve(host, port, *rest, **options):
        name = host.decode() if isinstance(host, bytes) else host
        if name not in answers:
            return real(host, port, *rest, **options)
        asked.append(name)
        found = answers[name].pop(0) if len(answers[name]) > 1 else answers[name][0]
        family = [(socket.AF_INET6 if ":" in address else socket.AF_INET, address) for address in found]
        return [(kind, socket.SOCK_STREAM, 6, "", (address, port)) for kind, address in family]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    return answers, asked


async def test_one_private_address_among_public_ones_is_refused(names):
    names[0]["mixed.test"] = [[PUBLIC, "10.0.0.7"]]
    with pytest.raises(egress.RefusedAddressError, match=r"10\.0\.0\.7"):
        await egress.find_target("https://mixed.test/")


async def test_a_name_that_changes_its_address_leads_nowhere(names):
    """DNS rebinding: public when it is judged, this machine when it is called."""
    answers, asked = names
    answers["rebind.test"] = [[PUBLIC], ["127.0.0.1"]]
    called = []

    async def answer(reader, writer):
        called.append(await reader.readline())
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, httpx.AsyncClient(timeout=0.5, trust_env=False) as client:
        target = await egress.find_target(f"http://rebind.test:{port}/")
        with pytest.raises((httpx.HTTPError, TimeoutError)):
            await egress.post(target, b"{}", {}, 1.0, client)
    assert (called, asked) == ([], ["rebind.test"]), "it is resolved once, and called at what was judged"


async def test_the_host_keeps_its_name_and_the_answer_is_cut():
    heard = []

    async def answer(reader, writer):
        heard.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n" + b"x" * 100_000)
        await asyncio.sleep(5)

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with httpx.AsyncClient(trust_env=False) as client:
        target = await egress.find_target(f"http://localhost:{port}/hook", allow_private=True)
        status, text = await egress.post(target, b"{}", {"X-Own": "1"}, 3.0, client)
    server.close()
    assert (status, len(text)) == (200, 2000)
    assert f"host: localhost:{port}".encode() in heard[0].lower()


async def test_an_answer_that_drips_is_given_up():
    async def drip(reader, writer):
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        while True:
            writer.write(b"x")
            await asyncio.sleep(0.05)

    server = await asyncio.start_server(drip, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with httpx.AsyncClient(timeout=5, trust_env=False) as client:
        target = await egress.find_target(f"http://127.0.0.1:{port}/", allow_private=True)
        with pytest.raises(TimeoutError):
            await egress.post(target, b"{}", {}, 0.4, client)
    server.close()


def test_a_signature_is_that_of_the_specification():
    """The example that the libraries of Standard Webhooks are tested with."""
    headers = signed_headers(
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}'
    )
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@given(st.binary(max_size=200), st.integers(0, 2**40))
def test_a_receiver_can_check_every_signature(body, timestamp):
    secret = new_secret()
    headers = signed_headers(secret, "id", timestamp, body)
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = b".".join([headers["webhook-id"].encode(), headers["webhook-timestamp"].encode(), body])
    expected = base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()
    assert headers["webhook-signature"] == f"v1,{expected}"
