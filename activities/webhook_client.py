"""The way out: one request to a partner's receiver, and to nothing else.

Where a partner listens was typed by somebody, and its name is answered by somebody else's server; neither is believed.
Only https on its own port; the name is looked up once; every address it has must be public; the connection goes to one
of these very addresses. No redirect is followed, no proxy asked, no more than a little of the answer read.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from socket import SOCK_STREAM
from typing import Any, Final, TypeAlias

import httpcore2
import httpx2

HTTPS_PORT: Final = 443

CONNECT_S: Final = 5.0

READ_S: Final = 10.0

DRAIN_S: Final = 1.0

ADDRESSES: Final = 4

ANSWER: Final = 64 * 1024
"""No more of an answer is read than this (bytes)."""

KEPT: Final = 500
"""What is kept of it (bytes)."""

Address: TypeAlias = IPv4Address | IPv6Address

Resolve: TypeAlias = Callable[[str, int], Awaitable[Sequence[str]]]

Gate: TypeAlias = Callable[[], Awaitable[None]]

EMBEDDED: Final = (IPv6Network("::ffff:0:0/96"), IPv6Network("64:ff9b::/96"))
"""IPv6 addresses that are an IPv4 address in other clothes: it is the one inside that counts."""

WORLD: Final = IPv6Network("2000::/3")
"""What is handed out to the world of IPv6; the rest leads inside, or nowhere."""

NEVER: Final = (
    *(IPv6Network("2001::/23"), IPv6Network("2002::/16"), IPv6Network("3fff::/20")),  # tunnels, protocols, examples
    *(IPv4Network("192.0.0.0/24"), IPv4Network("192.88.99.0/24")),  # protocols, a tunnel's relay
    IPv4Network("168.63.129.16/32"),  # a cloud's inside
)
"""What leads inside although some version of Python calls it global."""

FAULTS: Final = (
    *(httpcore2.TimeoutException, httpcore2.NetworkError, httpcore2.ProtocolError, httpcore2.UnsupportedProtocol),
    httpcore2.ProxyError,
)


class NotReachedError(Exception):
    """No answer came. ``word`` says why, and names nothing but the kind of failure."""

    def __init__(self, word: str) -> None:
        super().__init__(word)
        self.word = word


@dataclass(frozen=True, slots=True)
class WebhookResponse:
    """What a receiver said: its status, and its wish not to be asked again too soon, as it wrote it."""

    status: int
    retry_after: str | None = None
    said: bytes = field(default=b"", repr=False)
    """The beginning of its answer, for whoever tries the line; a delivery looks at the status alone."""


async def looked_up(host: str, port: int) -> list[str]:
    """Every address of a name."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=SOCK_STREAM)
    return [str(sockaddr[0]) for *_, sockaddr in found]


def is_public(address: Address) -> bool:
    """Whether an address leads out into the world, and nowhere else."""
    if isinstance(address, IPv6Address) and any(address in network for network in EMBEDDED):
        address = IPv4Address(int(address) & 0xFFFFFFFF)
    if isinstance(address, IPv6Address) and address not in WORLD:
        return False
    special = address.is_multicast or address.is_reserved or any(address in network for network in NEVER)
    return address.is_global and not special


def is_loopback(address: Address) -> bool:
    return address.is_loopback


def receiver(url: str, *, loopback: bool = False) -> httpx2.URL:
    """A receiver's address, if it is one that may be called. Raises ``NotReachedError``.

    ``loopback``: plain http is allowed as well, for receivers on this machine.
    """
    try:
        parsed = httpx2.URL(url)
        plain = loopback and parsed.scheme == "http"
        fit = plain or (parsed.scheme == "https" and parsed.port in (None, HTTPS_PORT))
    except (httpx2.InvalidURL, ValueError):  # also what is no text in any encoding
        raise NotReachedError("BAD_URL") from None
    if not fit or not parsed.host or parsed.userinfo or parsed.fragment or "%" in parsed.host:
        raise NotReachedError("BAD_URL")
    return parsed


async def _open() -> None:
    """A gate that stands open."""


@dataclass(frozen=True)
class WebhookClient:
    """Calls receivers. ``loopback``: those on this machine too, in plain http, for demonstrations."""

    loopback: bool = False
    resolve: Resolve = looked_up
    public: Callable[[Address], bool] = is_public
    tls: ssl.SSLContext = field(default_factory=httpcore2.default_ssl_context, repr=False)
    network: httpcore2.AsyncNetworkBackend = field(default_factory=httpcore2.AnyIOBackend, repr=False)
    connect_s: float = CONNECT_S
    read_s: float = READ_S

    async def post(self, url: str, headers: Mapping[str, str], body: bytes, gate: Gate = _open) -> WebhookResponse:
        """Hand a body over. Raises ``NotReachedError``, and whatever ``gate`` raises.

        ``gate`` is asked when the connection stands and nothing has been written yet: the last moment to think better
        of it.
        """
        to = receiver(url, loopback=self.loopback)
        try:
            async with asyncio.timeout(self.connect_s + self.read_s):
                return await self._post(to, headers, body, gate)
        except FAULTS as fault:
            raise NotReachedError(type(fault).__name__) from None
        except TimeoutError:
            raise NotReachedError("TIME_IS_UP") from None

    async def _post(self, to: httpx2.URL, headers: Mapping[str, str], body: bytes, gate: Gate) -> WebhookResponse:
        way = _Way(self.network, self.resolve, is_loopback if to.scheme == "http" else self.public, gate)
        limits = {"connect": self.connect_s, "write": self.read_s, "read": self.read_s}
        told = {"host": to.netloc.decode(), "user-agent": "awda", "accept-encoding": "identity", **headers}
        asked = httpcore2.URL(scheme=to.raw_scheme, host=to.raw_host, port=to.port, target=to.raw_path)
        async with (
            httpcore2.AsyncConnectionPool(ssl_context=self.tls, network_backend=way) as pool,
            pool.stream(
                "POST", asked, headers=list(told.items()), content=body, extensions={"timeout": limits}
            ) as answer,
        ):
            return WebhookResponse(answer.status, _header(answer, b"retry-after"), await _drain(answer))


def _header(answer: httpcore2.Response, wanted: bytes) -> str | None:
    return next((value.decode("latin-1") for name, value in answer.headers if name.lower() == wanted), None)


async def _drain(answer: httpcore2.Response) -> bytes:
    """Hear the answer out, within reason, and keep its beginning: what was said is in its first line."""
    kept, heard = b"", 0
    with suppress(*FAULTS, TimeoutError):
        async with asyncio.timeout(DRAIN_S), aclosing(answer.aiter_stream()) as parts:
            async for part in parts:
                kept, heard = (kept + part)[:KEPT], heard + len(part)
                if heard > ANSWER:
                    break
    return kept


@dataclass
class _Way(httpcore2.AsyncNetworkBackend):
    """Opens the one connection of one request: looks the name up, looks at every address, goes to one of them."""

    inner: httpcore2.AsyncNetworkBackend
    resolve: Resolve
    allowed: Callable[[Address], bool]
    gate: Gate

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 (the library's signature)
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        """The first address that answers; each gets its share of the time."""
        async with asyncio.timeout(timeout):
            addresses = await self._addresses(host, port)
            share = timeout / len(addresses) if timeout else None
            for address in addresses[:-1]:
                with suppress(*FAULTS):
                    stream = await self.inner.connect_tcp(address, port, share, local_address, socket_options)
                    return _Stream(stream, self.gate)
            stream = await self.inner.connect_tcp(addresses[-1], port, share, local_address, socket_options)
            return _Stream(stream, self.gate)

    async def _addresses(self, host: str, port: int) -> list[str]:
        try:
            found = [ip_address(text) for text in await self.resolve(host, port)]
        except (OSError, UnicodeError, ValueError):  # no such name, or none at all
            raise NotReachedError("NO_SUCH_NAME") from None
        if not found or not all(map(self.allowed, found)):
            raise NotReachedError("ADDRESS_NOT_ALLOWED")
        return list(dict.fromkeys(map(str, found)))[:ADDRESSES]


class _Stream(httpcore2.AsyncNetworkStream):
    """A connection over which nothing is written before its gate has been asked."""

    def __init__(self, inner: httpcore2.AsyncNetworkStream, gate: Gate) -> None:
        self._inner, self._gate, self._asked = inner, gate, False

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109
        return await self._inner.read(max_bytes, timeout)

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109
        if not self._asked:
            await self._gate()
            self._asked = True
        await self._inner.write(buffer, timeout)

    async def aclose(self) -> None:
        await self._inner.aclose()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109
    ) -> httpcore2.AsyncNetworkStream:
        return _Stream(await self._inner.start_tls(ssl_context, server_hostname, timeout), self._gate)

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)
