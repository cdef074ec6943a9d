"""The webhook client: sends one request to the receiver of a partner, with protection against SSRF.

Neither the configured URL nor the DNS answers for its host are trusted. Only https on port 443 is allowed; the host is
resolved once, all its addresses must be public, and the connection goes to one of exactly these addresses (no DNS
rebinding). Redirects are not followed, proxies are not used, and only a limited part of the response is read.
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

MAX_RESPONSE: Final = 64 * 1024
"""The maximum number of bytes read of a response."""

MAX_KEPT: Final = 500
"""The number of bytes kept of a response."""

Address: TypeAlias = IPv4Address | IPv6Address

Resolve: TypeAlias = Callable[[str, int], Awaitable[Sequence[str]]]

Gate: TypeAlias = Callable[[], Awaitable[None]]

EMBEDDED: Final = (IPv6Network("::ffff:0:0/96"), IPv6Network("64:ff9b::/96"))
"""IPv4-mapped IPv6 addresses and NAT64: the embedded IPv4 address is checked."""

GLOBAL_UNICAST: Final = IPv6Network("2000::/3")
"""The range of global unicast addresses in IPv6. Addresses outside it are internal or unassigned."""

NEVER: Final = (
    *(
        IPv6Network("2001::/23"),
        IPv6Network("2002::/16"),
        IPv6Network("3fff::/20"),
    ),  # protocol assignments, 6to4, documentation
    *(IPv4Network("192.0.0.0/24"), IPv4Network("192.88.99.0/24")),  # protocol assignments, 6to4 relay
    IPv4Network("168.63.129.16/32"),  # internal address of a cloud provider
)
"""Networks that are internal although some versions of Python call them global."""

FAULTS: Final = (
    *(httpcore2.TimeoutException, httpcore2.NetworkError, httpcore2.ProtocolError, httpcore2.UnsupportedProtocol),
    httpcore2.ProxyError,
)


class NotReachedError(Exception):
    """There was no response. ``word`` is the code of the failure and contains no data of the request."""

    def __init__(self, word: str) -> None:
        super().__init__(word)
        self.word = word


@dataclass(frozen=True, slots=True)
class WebhookResponse:
    """The response of a receiver: its status, and its Retry-After header if there is one."""

    status: int
    retry_after: str | None = None
    body: bytes = field(default=b"", repr=False)
    """The beginning of the body, shown by connection tests; deliveries use only the status."""


async def looked_up(host: str, port: int) -> list[str]:
    """Resolves a host name. Returns all its addresses."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=SOCK_STREAM)
    return [str(sockaddr[0]) for *_, sockaddr in found]


def is_public(address: Address) -> bool:
    """Returns whether an address is public, and not internal, reserved or multicast."""
    if isinstance(address, IPv6Address) and any(address in network for network in EMBEDDED):
        address = IPv4Address(int(address) & 0xFFFFFFFF)
    if isinstance(address, IPv6Address) and address not in GLOBAL_UNICAST:
        return False
    special = address.is_multicast or address.is_reserved or any(address in network for network in NEVER)
    return address.is_global and not special


def is_loopback(address: Address) -> bool:
    return address.is_loopback


def receiver(url: str, *, loopback: bool = False) -> httpx2.URL:
    """Returns the parsed URL of a receiver. Raises ``NotReachedError`` if it is not allowed.

    ``loopback``: http is allowed as well, for receivers on this machine.
    """
    try:
        parsed = httpx2.URL(url)
        is_http = loopback and parsed.scheme == "http"
        allowed = is_http or (parsed.scheme == "https" and parsed.port in (None, HTTPS_PORT))
    except (httpx2.InvalidURL, ValueError):  # includes text that cannot be encoded
        raise NotReachedError("BAD_URL") from None
    if not allowed or not parsed.host or parsed.userinfo or parsed.fragment or "%" in parsed.host:
        raise NotReachedError("BAD_URL")
    return parsed


async def _open() -> None:
    """The default gate: permits every request."""


@dataclass(frozen=True)
class WebhookClient:
    """Sends requests to receivers. ``loopback``: also to this machine over http, for demonstrations."""

    loopback: bool = False
    resolve: Resolve = looked_up
    public: Callable[[Address], bool] = is_public
    tls: ssl.SSLContext = field(default_factory=httpcore2.default_ssl_context, repr=False)
    network: httpcore2.AsyncNetworkBackend = field(default_factory=httpcore2.AnyIOBackend, repr=False)
    connect_s: float = CONNECT_S
    read_s: float = READ_S

    async def post(self, url: str, headers: Mapping[str, str], body: bytes, gate: Gate = _open) -> WebhookResponse:
        """Sends a body and returns the response. Raises ``NotReachedError``, and any error of ``gate``.

        ``gate`` is called after the connection is open and before anything is written: the last moment at which the
        request can be cancelled.
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
        backend = _GuardedBackend(self.network, self.resolve, is_loopback if to.scheme == "http" else self.public, gate)
        limits = {"connect": self.connect_s, "write": self.read_s, "read": self.read_s}
        all_headers = {"host": to.netloc.decode(), "user-agent": "awda", "accept-encoding": "identity", **headers}
        target = httpcore2.URL(scheme=to.raw_scheme, host=to.raw_host, port=to.port, target=to.raw_path)
        async with (
            httpcore2.AsyncConnectionPool(ssl_context=self.tls, network_backend=backend) as pool,
            pool.stream(
                "POST", target, headers=list(all_headers.items()), content=body, extensions={"timeout": limits}
            ) as response,
        ):
            return WebhookResponse(response.status, _header(response, b"retry-after"), await _drain(response))


def _header(response: httpcore2.Response, header: bytes) -> str | None:
    return next((value.decode("latin-1") for name, value in response.headers if name.lower() == header), None)


async def _drain(response: httpcore2.Response) -> bytes:
    """Reads the body up to the limits of time and size. Returns its beginning."""
    kept, received = b"", 0
    with suppress(*FAULTS, TimeoutError):
        async with asyncio.timeout(DRAIN_S), aclosing(response.aiter_stream()) as parts:
            async for part in parts:
                kept, received = (kept + part)[:MAX_KEPT], received + len(part)
                if received > MAX_RESPONSE:
                    break
    return kept


@dataclass
class _GuardedBackend(httpcore2.AsyncNetworkBackend):
    """Opens the connection of one request: resolves the host, checks all addresses, connects to one of them."""

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
        """Connects to the first address that accepts; each address gets an equal share of the timeout."""
        async with asyncio.timeout(timeout):
            addresses = await self._addresses(host, port)
            share = timeout / len(addresses) if timeout else None
            for address in addresses[:-1]:
                with suppress(*FAULTS):
                    stream = await self.inner.connect_tcp(address, port, share, local_address, socket_options)
                    return _GatedStream(stream, self.gate)
            stream = await self.inner.connect_tcp(addresses[-1], port, share, local_address, socket_options)
            return _GatedStream(stream, self.gate)

    async def _addresses(self, host: str, port: int) -> list[str]:
        try:
            found = [ip_address(text) for text in await self.resolve(host, port)]
        except (OSError, UnicodeError, ValueError):  # the name does not exist or is invalid
            raise NotReachedError("NO_SUCH_NAME") from None
        if not found or not all(map(self.allowed, found)):
            raise NotReachedError("ADDRESS_NOT_ALLOWED")
        return list(dict.fromkeys(map(str, found)))[:ADDRESSES]


class _GatedStream(httpcore2.AsyncNetworkStream):
    """A connection that calls its gate before the first byte is written."""

    def __init__(self, inner: httpcore2.AsyncNetworkStream, gate: Gate) -> None:
        self._inner, self._gate, self._permitted = inner, gate, False

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109
        return await self._inner.read(max_bytes, timeout)

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109
        if not self._permitted:
            await self._gate()
            self._permitted = True
        await self._inner.write(buffer, timeout)

    async def aclose(self) -> None:
        await self._inner.aclose()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109
    ) -> httpcore2.AsyncNetworkStream:
        return _GatedStream(await self._inner.start_tls(ssl_context, server_hostname, timeout), self._gate)

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)
