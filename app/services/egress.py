"""Calls to addresses that people gave: never into private networks, whatever a name resolves to.

A name is resolved once, every address of it is judged, and the connection goes to the address that was judged: a name
that changes its address in between (DNS rebinding) leads nowhere. Redirects are not followed.
https://cheatsheetseries.owasp.org/cheatsheets/Server_Side_Request_Forgery_Prevention_Cheat_Sheet.html
"""

import asyncio
import ipaddress
import socket
from dataclasses import dataclass
from urllib.parse import urlsplit

import httpx

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_RESOLVE_SECONDS = 5.0
_ANSWER_BYTES = 2000
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_COMPATIBLE = ipaddress.ip_network("::/96")


class RefusedAddressError(ValueError):
    """The address may not be called, or is none."""


@dataclass(frozen=True, slots=True)
class Target:
    """A URL with the address that stands for its host from now on."""

    url: httpx.URL
    address: str

    @property
    def pinned(self) -> httpx.URL:
        """The URL with the address in the host's place."""
        return self.url.copy_with(host=self.address)


async def find_target(url: str, allow_private: bool = False) -> Target:
    """Resolve the host of a URL, once. Raises RefusedAddressError, with a reason for a person."""
    try:
        parsed = httpx.URL(url)
        port = urlsplit(url).port or (443 if parsed.scheme == "https" else 80)
    except (httpx.InvalidURL, ValueError) as error:
        raise RefusedAddressError(f"it is no URL: {error}") from error
    if parsed.scheme not in {"http", "https"} or not parsed.host:
        raise RefusedAddressError("give a URL that begins with https:// or http://")
    if parsed.userinfo:
        raise RefusedAddressError("a URL with a user or password in it is refused")
    addresses = await _resolve(parsed.host, port)
    if not allow_private:
        for address in addresses:
            if not is_public(address):
                raise RefusedAddressError(
                    f"{parsed.host} is {address}, which is no public address; "
                    "an administrator can allow it with HEADRACE_WEBHOOK_PRIVATE_HOSTS=true"
                )
    return Target(parsed, str(addresses[0]))


async def _resolve(host: str, port: int) -> list[Address]:
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(_RESOLVE_SECONDS):
            found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError, TimeoutError) as error:
        raise RefusedAddressError(f"{host} does not resolve: {error or type(error).__name__}") from error
    return [ipaddress.ip_address(str(entry[4][0]).partition("%")[0]) for entry in found]


def is_public(address: Address) -> bool:
    """May anyone be called there? Judges also the IPv4 address inside an IPv6 one (mapped, 6to4, Teredo, NAT64)."""
    if isinstance(address, ipaddress.IPv6Address):
        inside = address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else None)
        if inside is None and (address in _NAT64 or address in _COMPATIBLE):
            inside = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if inside is not None and not is_public(inside):
            return False
    return address.is_global and not (address.is_multicast or address.is_reserved or address.is_unspecified)


async def post(
    target: Target, body: bytes, headers: dict[str, str], seconds: float, client: httpx.AsyncClient
) -> tuple[int, str]:
    """POST to the address of a target; the status and the beginning of the answer.

    Raises httpx.HTTPError, or TimeoutError when it takes longer than so many seconds in all. `client` must follow no
    redirects and use no proxy: a proxy would resolve the name again.
    """
    request = client.build_request(
        "POST",
        target.pinned,
        content=body,
        headers=headers | {"Host": target.url.netloc.decode()},
        extensions={"sni_hostname": target.url.host},  # the certificate is checked against the name
    )
    async with asyncio.timeout(seconds):
        response = await client.send(request, stream=True, follow_redirects=False)
        try:
            answer = b""
            async for chunk in response.aiter_raw():
                answer += chunk
                if len(answer) >= _ANSWER_BYTES:
                    break
        finally:
            await response.aclose()
    return response.status_code, answer[:_ANSWER_BYTES].decode("utf-8", "replace")
