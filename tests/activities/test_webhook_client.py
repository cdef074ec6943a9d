"""The webhook client reaches partners only: no address, name, redirect, proxy or port leads to internal hosts."""

from __future__ import annotations

import asyncio
import ssl
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from pathlib import Path
from typing import Any

import httpcore2
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from activities.webhook_client import (
    CONNECT_S,
    HTTPS_PORT,
    MAX_RESPONSE,
    READ_S,
    NotReachedError,
    WebhookClient,
    is_public,
    receiver,
)
from tests.support.receiver_process import ReceiverProcess

WRITTEN = (
    # addresses of this machine, its network and its cloud, in every spelling
    *("127.0.0.1", "127.1", "127.0.1", "0.0.0.0", "0", "2130706433", "0x7f000001", "0x7f.1", "017700000001"),  # noqa: S104
    *("0177.0.0.1", "127.0.0.1.", "127。0。0。1", "１２７.0.0.1", "①②⑦.⓪.⓪.①", "127.255.255.254"),
    *("[::1]", "[::]", "[0:0:0:0:0:0:0:1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::127.0.0.1]"),
    *("[::ffff:10.0.0.1]", "[::ffff:169.254.169.254]", "[64:ff9b::7f00:1]", "[64:ff9b::a9fe:a9fe]"),
    *("[64:ff9b:1::7f00:1]", "[2002:7f00:1::]", "[2001:0:7f00:1::]", "[fe80::1]", "[fe80::1%25lo]", "[fe80::1%lo]"),
    *(
        "[fc00::1]",
        "[fd00:ec2::254]",
        "[fec0::1]",
        "[ff02::1]",
        "[ff0e::1]",
        "[2001:db8::1]",
        "[100::1]",
        "[5f00::1]",
        "[3fff::1]",
    ),
    *("169.254.169.254", "2852039166", "0xa9fea9fe", "169.254.0.1", "10.0.0.1", "172.16.0.1", "172.31.255.255"),
    *("192.168.1.1", "100.64.0.1", "100.100.100.200", "168.63.129.16", "192.0.0.8", "192.88.99.1", "198.18.0.1"),
    *(
        "a..b",
        f"{'a' * 300}.example",
        "203.0.113.1",
        "224.0.0.1",
        "239.255.255.250",
        "240.0.0.1",
        "255.255.255.255",
        "localhost",
        "LOCALHOST",
    ),
)

ADDRESSED = (
    # not https on port 443, or an ambiguous URL
    *("http://127.0.0.1/", "http://partner.example/", "https://partner.example:444/", "https://partner.example:22/"),
    *("https://user@partner.example/", "https://user:word@127.0.0.1/", "https://partner.example@127.0.0.1/"),
    *("https://127.0.0.1#@partner.example/", "https://partner.example\\@127.0.0.1/", "https://127.0.0.1:80/"),
    *("https:///", "https:127.0.0.1", "//127.0.0.1/", "127.0.0.1", "", "file:///etc/passwd", "ftp://127.0.0.1/"),
    *("gopher://127.0.0.1:6379/_FLUSHALL", "unix:///var/run/docker.sock", "https://partner.example\r\nX: y/"),
    *("https://127.0.0.1\t.example/", "https://[::1/", "https://[v1.fe80]/", "https://%31%32%37.0.0.1/"),
    *("https://127.0.0.1:99999/", "https://host:443:80/", "https://\udcff/"),
)

INSIDE = {"inner.example": ["10.0.0.7"], "mixed.example": ["93.184.215.14", "127.0.0.1"], "empty.example": []}


class RecordedWire:
    """Records the connections of this process by audit hooks of the interpreter. While guarded, none is made."""

    guarded, reached = False, list[Any]()

    @classmethod
    def hear(cls, event: str, about: tuple[Any, ...]) -> None:
        if cls.guarded and event == "socket.connect":
            cls.reached.append(about[1][:2])
            raise ConnectionRefusedError("nothing leaves this test")


sys.addaudithook(RecordedWire.hear)


@contextmanager
def the_wire() -> Iterator[list[Any]]:
    RecordedWire.guarded, RecordedWire.reached = True, []
    try:
        yield RecordedWire.reached
    finally:
        RecordedWire.guarded = False


async def somewhere_public(_host: str, _port: int) -> Sequence[str]:
    return ["93.184.215.14"]


@pytest.mark.parametrize("host", WRITTEN, ids=ascii)
async def test_nothing_that_leads_inside_is_even_connected_to(host: str) -> None:
    with the_wire() as reached:
        with pytest.raises(NotReachedError) as why:
            await WebhookClient().post(f"https://{host}/", {}, b"secret")
        assert reached == []

    assert why.value.word in ("BAD_URL", "ADDRESS_NOT_ALLOWED", "NO_SUCH_NAME")


@pytest.mark.parametrize("url", ADDRESSED, ids=ascii)
async def test_what_is_not_plainly_a_receiver_is_not_called_wherever_it_leads(url: str) -> None:
    with the_wire() as reached:
        with pytest.raises(NotReachedError, match="BAD_URL"):
            await WebhookClient(resolve=somewhere_public).post(url, {}, b"secret")
        assert reached == []


@pytest.mark.parametrize("name", INSIDE)
async def test_a_name_one_of_whose_addresses_leads_inside_is_not_connected_to(name: str) -> None:
    async def resolve(host: str, _port: int) -> Sequence[str]:
        return INSIDE[host]

    with the_wire() as reached:
        with pytest.raises(NotReachedError, match="ADDRESS_NOT_ALLOWED"):
            await WebhookClient(resolve=resolve).post(f"https://{name}/", {}, b"secret")
        assert reached == []


async def test_a_name_that_changes_its_mind_is_asked_once_and_taken_at_its_word() -> None:
    told = iter([["93.184.215.14"], ["127.0.0.1"], ["127.0.0.1"]])
    asked = list[tuple[str, int]]()

    async def rebinding(host: str, port: int) -> Sequence[str]:
        asked.append((host, port))
        return next(told)

    with the_wire() as reached:
        with pytest.raises(NotReachedError, match="ConnectError"):
            await WebhookClient(resolve=rebinding).post("https://rebinding.example/", {}, b"secret")
        assert reached == [("93.184.215.14", HTTPS_PORT)]

    assert asked == [("rebinding.example", HTTPS_PORT)]


async def test_a_second_address_is_tried_when_the_first_is_dead() -> None:
    async def resolve(_host: str, _port: int) -> Sequence[str]:
        return ["93.184.215.14", "2606:2800:21f:cb07:6820:80da:af6b:8b2c"]

    with the_wire() as reached, pytest.raises(NotReachedError, match="ConnectError"):
        await WebhookClient(resolve=resolve).post("https://partner.example/", {}, b"secret")

    assert [address for address, _ in reached] == ["93.184.215.14", "2606:2800:21f:cb07:6820:80da:af6b:8b2c"]


@pytest.mark.parametrize("doing", ["redirect?http://127.0.0.1:{}/", "redirect?https://127.0.0.1/", "redirect?//[::1]/"])
async def test_a_redirect_is_an_answer_and_leads_nowhere(stranger: ReceiverProcess, doing: str) -> None:
    async with a_listener() as (port, visits):
        answer = await WebhookClient(loopback=True).post(stranger.url(doing.format(port)), {}, b"secret")

    assert answer.status == 302
    assert len(stranger.asked) == 1
    assert visits == []


@pytest.mark.parametrize("name", ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY", "all_proxy"])
async def test_no_proxy_of_the_environment_is_asked(
    stranger: ReceiverProcess, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    async with a_listener() as (port, visits):
        monkeypatch.setenv(name, f"http://127.0.0.1:{port}")
        answer = await WebhookClient(loopback=True).post(stranger.url("ok"), {}, b"secret")

    assert (answer.status, visits) == (204, [])


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_receivers_on_this_machine_are_for_demonstrations_only(stranger: ReceiverProcess, host: str) -> None:
    url = f"http://{host}:{stranger.port}/ok"
    with pytest.raises(NotReachedError, match="BAD_URL"):
        await WebhookClient().post(url, {}, b"secret")

    assert (await WebhookClient(loopback=True).post(url, {}, b"secret")).status == 204
    assert len(stranger.asked) == 1


@pytest.mark.parametrize("host", ["93.184.215.14", "10.0.0.1", "169.254.169.254", "[fe80::1]", "partner.example"])
async def test_a_demonstration_speaks_in_the_clear_to_this_machine_only(host: str) -> None:
    async def resolve(name: str, _port: int) -> Sequence[str]:
        return ["93.184.215.14"] if name == "partner.example" else [name]

    with the_wire() as reached, pytest.raises(NotReachedError, match="ADDRESS_NOT_ALLOWED"):
        await WebhookClient(loopback=True, resolve=resolve).post(f"http://{host}:8080/", {}, b"secret")

    assert reached == []


async def test_a_demonstration_reaches_inside_no_more_than_anybody_under_https() -> None:
    with the_wire() as reached, pytest.raises(NotReachedError, match="ADDRESS_NOT_ALLOWED"):
        await WebhookClient(loopback=True).post("https://127.0.0.1/", {}, b"secret")

    assert reached == []


def test_it_has_the_patience_and_the_appetite_that_were_agreed() -> None:
    assert (CONNECT_S, READ_S, MAX_RESPONSE, HTTPS_PORT) == (5.0, 10.0, 65536, 443)
    assert (WebhookClient().connect_s, WebhookClient().read_s, WebhookClient().loopback) == (CONNECT_S, READ_S, False)
    assert WebhookClient().tls.verify_mode is ssl.CERT_REQUIRED
    assert WebhookClient().tls.check_hostname


NETWORKS = [
    *map(IPv4Network, ("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12")),
    *map(
        IPv4Network,
        ("192.0.0.0/24", "192.0.2.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24"),
    ),
    *map(IPv4Network, ("224.0.0.0/4", "240.0.0.0/4")),
    *map(
        IPv6Network,
        ("::/96", "64:ff9b:1::/48", "100::/64", "2001::/23", "3fff::/20", "5f00::/16", "2001:db8::/32", "2002::/16"),
    ),
    *map(IPv6Network, ("fc00::/7", "fe80::/10", "fec0::/10", "ff00::/8")),
]


@given(st.sampled_from(NETWORKS), st.integers(min_value=0))
def test_no_address_of_a_network_that_is_not_public_is_public(network: Any, nth: int) -> None:
    address = network[nth % network.num_addresses]
    assert not is_public(address)
    if isinstance(address, IPv4Address):
        for prefix in ("::ffff:0:0", "64:ff9b::"):
            assert not is_public(IPv6Address(int(IPv6Address(prefix)) + int(address)))


@pytest.mark.parametrize(
    "text", ["93.184.215.14", "8.8.8.8", "2606:4700:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"]
)
def test_what_is_public_is_public(text: str) -> None:
    assert is_public(ip_address(text))


# Certificates


async def test_the_connection_goes_to_the_address_that_was_looked_at_under_the_name_that_was_asked_for(
    tmp_path: Path,
) -> None:
    async with a_partner(tmp_path, "partner.example") as partner:
        answer = await partner.outside.post("https://partner.example/in?a=b", {"webhook-id": "m-1"}, b"signed")

    assert answer.status == 202
    assert partner.network.went_to == [("93.184.215.14", HTTPS_PORT)]
    assert partner.names == ["partner.example"]
    (heard,) = partner.heard
    assert heard.startswith(b"POST /in?a=b HTTP/1.1\r\n")
    assert b"\r\nhost: partner.example\r\n" in heard
    assert heard.endswith(b"\r\n\r\nsigned")


async def test_nothing_is_said_to_a_server_that_cannot_show_the_name(tmp_path: Path) -> None:
    asked = list[str]()

    async def gate() -> None:
        asked.append("gate")

    async with a_partner(tmp_path, "somebody-else.example") as partner:
        with pytest.raises(NotReachedError, match="ConnectError"):
            await partner.outside.post("https://partner.example/", {}, b"secret", gate)

    assert (partner.heard, asked) == ([], [])


async def test_nothing_is_said_when_the_gate_stays_shut(tmp_path: Path) -> None:
    class ShutError(Exception):
        pass

    async def gate() -> None:
        raise ShutError

    async with a_partner(tmp_path, "partner.example") as partner:
        with pytest.raises(ShutError):
            await partner.outside.post("https://partner.example/", {}, b"secret", gate)
        await partner.hung_up.wait()

    assert partner.names == ["partner.example"]
    assert partner.heard == []


@dataclass
class Detour(httpcore2.AsyncNetworkBackend):
    """The real network, with one local server for all addresses; it records the requested addresses."""

    port: int
    went_to: list[tuple[str, int]] = field(default_factory=list)
    real: httpcore2.AsyncNetworkBackend = field(default_factory=httpcore2.AnyIOBackend)

    async def connect_tcp(self, host: str, port: int, *args: Any, **more: Any) -> httpcore2.AsyncNetworkStream:
        self.went_to.append((host, port))
        return await self.real.connect_tcp("127.0.0.1", self.port, *args, **more)


@dataclass
class TlsPartner:
    """A partner with https: records the requested names and the requests."""

    names: list[str | None] = field(default_factory=list)
    heard: list[bytes] = field(default_factory=list)
    hung_up: asyncio.Event = field(default_factory=asyncio.Event)
    network: Detour = field(default_factory=lambda: Detour(0))
    outside: WebhookClient = field(default_factory=WebhookClient)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r")[0])
            self.heard.append(head + await reader.readexactly(length))
            writer.write(b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n")
            await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            self.hung_up.set()
        finally:
            writer.close()


@asynccontextmanager
async def a_partner(folder: Path, certified: str) -> AsyncIterator[TlsPartner]:
    """Serves a certificate for one name, issued by a trusted authority."""
    certificate = a_certificate(folder, certified)
    partner, context = TlsPartner(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)

    def named(_wire: Any, name: str | None, _context: Any) -> None:
        partner.names.append(name)

    context.sni_callback = named
    server = await asyncio.start_server(partner.serve, "127.0.0.1", 0, ssl=context)
    partner.network.port = server.sockets[0].getsockname()[1]

    trusting = ssl.create_default_context(cafile=str(certificate))
    partner.outside = WebhookClient(resolve=somewhere_public, tls=trusting, network=partner.network)
    async with server:
        yield partner


def a_certificate(folder: Path, name: str) -> Path:
    key, subject = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    today = datetime.now(UTC)
    made = (
        x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(today - timedelta(days=1)).not_valid_after(today + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    pem = serialization.Encoding.PEM
    secret = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    file = folder / f"{name}.pem"
    file.write_bytes(made.public_bytes(pem) + secret)
    return file


@asynccontextmanager
async def a_listener() -> AsyncIterator[tuple[int, list[Any]]]:
    """A local port that records its connections."""
    visits = list[Any]()

    async def came(_reader: Any, writer: asyncio.StreamWriter) -> None:
        visits.append(writer.get_extra_info("peername"))
        writer.close()

    server = await asyncio.start_server(came, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1], visits


def test_a_receiver_is_given_back_as_it_will_be_called() -> None:
    assert str(receiver("https://partner.example:443/in?a=b")) == "https://partner.example/in?a=b"
