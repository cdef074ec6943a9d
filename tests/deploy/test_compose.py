"""The commands of docker-compose.yml, run as plain processes against their own servers."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

import httpx2
import pytest
import yaml

from activities.webhook_client import NEVER, is_public
from tests.support.ports import free_port
from workers.embedded.installation import Servers
from workers.embedded.installation import servers as real_servers
from workers.embedded.postgres import installed
from workers.embedded.temporal import program
from workers.network_probe import serves

ROOT: Final = Path(__file__).resolve().parents[2]

COMPOSE: Final[dict[str, Any]] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())

SERVICES: Final[dict[str, Any]] = COMPOSE["services"]

OURS: Final = [name for name, service in SERVICES.items() if service.get("build")]

PROCESSES: Final = [name for name in OURS if name != "migrate"]

SECRETS: Final = "/run/secrets"

STOPS_WITHIN_S: Final = 5.0

COPIED: Final = re.compile(r"^COPY (?!--from)(\S+) (\./\S*)$", re.MULTILINE)


@dataclass
class Site:
    """What the services need to run: an image's folder, secrets, servers."""

    root: Path
    servers: Servers
    port: int = field(default_factory=free_port)

    @property
    def secrets(self) -> Path:
        return self.root / "secrets"

    @property
    def image(self) -> Path:
        return self.root / "image"

    def environment(self, service: str) -> dict[str, str]:
        """Returns the service's environment, with the addresses of the test servers instead of those in the file."""
        values = {name: self.address(name, value) for name, value in SERVICES[service]["environment"].items()}
        path = os.pathsep.join((str(program().parent), str(installed() / "bin"), os.defpath))
        ours = {"PYTHONPATH": str(self.image), "AWDA_HOME": str(self.root / "tmp"), "AWDA_SECRETS": str(self.secrets)}
        return values | ours | {"PATH": path}

    def address(self, name: str, value: str) -> str:
        match name:
            case "AWDA_DATABASE_URL":
                return self.dsn(value)
            case "AWDA_TEMPORAL_ADDRESS" | "TEMPORAL_ADDRESS":
                return self.servers.temporal_address
            case "AWDA_FILES":
                return str(self.root / "files")
            case "AWDA_PORT":
                return str(self.port)
            case _:
                return value.replace(SECRETS, str(self.secrets))

    def dsn(self, url: str) -> str:
        """Returns a DSN for the same role and database on the test server."""
        assert self.servers.postgres
        parts = urlsplit(url)
        where = urlencode({"host": str(self.servers.postgres.socket_folder), "port": "5432"})
        return f"postgresql://{parts.username}@{parts.path}?{where}"

    def start(self, service: str) -> subprocess.Popen[bytes]:
        """Starts the service's command through the image's entry point. Its output goes to a file."""
        command = [sys.executable if word == "python" else word for word in SERVICES[service]["command"]]
        with (self.root / f"{service}.log").open("ab") as output:
            return subprocess.Popen(
                ["/bin/sh", str(self.image / "deploy" / "with-secrets"), *command],
                env=self.environment(service), cwd=self.image, stdout=output, stderr=output,
            )  # fmt: skip

    def output(self, service: str) -> str:
        return (self.root / f"{service}.log").read_text()


@pytest.fixture(scope="module")
async def site() -> AsyncIterator[Site]:
    """New servers and a folder with what the Dockerfile copies, after the steps that compose runs once."""
    root = Path(tempfile.mkdtemp(prefix="awda-compose-"))
    try:
        async with real_servers(root / "home") as servers:
            here = Site(root, servers)
            build(here.image)
            ran("/bin/sh", make_secrets_in(root)).check_returncode()
            run_once(here, "deploy/postgres/roles.sh", postgres_environment(here))
            run_once(here, "deploy/temporal/namespace.sh", here.environment("temporal-init"))
            await until_served(here)
            yield here
    finally:
        shutil.rmtree(root, ignore_errors=True)


def build(image: Path) -> None:
    """Copies what `docker build` would copy."""
    for source, target in COPIED.findall((ROOT / "Dockerfile").read_text()):
        to = image / target / Path(source).name if target.endswith("/") else image / target
        to.parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / source).is_dir():
            shutil.copytree(ROOT / source, to, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(ROOT / source, to)


def make_secrets_in(root: Path) -> Path:
    """Returns a copy of the script, because the script writes into its own folder."""
    return Path(shutil.copy2(ROOT / "deploy" / "make-secrets", root))


def run_once(site: Site, script: str, env: Mapping[str, str]) -> None:
    done = ran("/bin/sh", ROOT / script, env=env)
    assert done.returncode == 0, done.stderr


def ran(*words: str | Path, env: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Runs a program to its end, and returns its result and output."""
    return subprocess.run(words, env=env, capture_output=True, text=True, timeout=60, check=False)


def postgres_environment(site: Site) -> dict[str, str]:
    """Returns the environment that the image of PostgreSQL gives its initialisation scripts."""
    assert site.servers.postgres
    env = site.environment("postgres")
    password = site.servers.home.secret(SERVICES["postgres"]["environment"]["POSTGRES_USER"])
    (site.secrets / "awda_owner_password").unlink()
    (site.secrets / "awda_owner_password").write_text(password)  # the test server was created with another password
    return env | {"PGHOST": str(site.servers.postgres.socket_folder), "PGPASSWORD": password}


async def until_served(site: Site) -> None:
    async with asyncio.timeout(30):
        while not await serves(
            site.servers.temporal_address, SERVICES["relay"]["environment"]["AWDA_TEMPORAL_NAMESPACE"]
        ):
            await asyncio.sleep(0.2)


@contextmanager
def running(site: Site) -> Iterator[dict[str, subprocess.Popen[bytes]]]:
    started = {name: site.start(name) for name in PROCESSES}
    try:
        yield started
    finally:
        for each in started.values():
            each.kill()
            each.wait()


@pytest.mark.integration
async def test_the_migration_fills_an_empty_database_and_then_finds_nothing_to_do(site: Site) -> None:
    assert site.start("migrate").wait(60) == 0, site.output("migrate")
    first = site.output("migrate")
    assert site.start("migrate").wait(60) == 0
    assert "0006_stale.sql" in first
    assert site.output("migrate").removeprefix(first).strip().splitlines()[-1] == "The database schema is up to date."


@pytest.mark.integration
@pytest.mark.exclusive
async def test_the_services_carry_a_case_and_stop_within_five_seconds(site: Site) -> None:
    assert site.start("migrate").wait(60) == 0, site.output("migrate")
    with running(site) as started:
        async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{site.port}", trust_env=False) as http:
            await until_healthy(http, site, started["gateway"])
            number = await registered(http)
            await until_listed(http, number)
        assert verified(site)["result"] == "clean"
        assert {name: each.poll() for name, each in started.items()} == dict.fromkeys(PROCESSES)
        since = time.monotonic()
        for each in started.values():
            each.send_signal(signal.SIGTERM)
        codes = {name: each.wait(STOPS_WITHIN_S + 5) for name, each in started.items()}
    assert time.monotonic() - since <= STOPS_WITHIN_S
    assert codes == dict.fromkeys(PROCESSES, 0), {name: site.output(name)[-600:] for name in PROCESSES}


async def until_healthy(http: httpx2.AsyncClient, site: Site, gateway: subprocess.Popen[bytes]) -> None:
    async with asyncio.timeout(60):
        while True:
            assert gateway.poll() is None, site.output("gateway")
            try:
                assert (await http.get("/healthz")).json() == {"status": "ok"}
            except httpx2.ConnectError:
                await asyncio.sleep(0.1)
            else:
                return


REGISTRATION: Final = {
    "message": "RegisterCase",
    "person": {"family_name": "Okafor", "given_names": "Aminata", "sex": "FEMALE", "nationality": "NGA"},
    "country_of_return": "NGA",
    "channel": "WALK_IN",
    "office": "Tripoli",
    "living_situation": "URBAN_RENTED",
    "consent_to_data_processing": True,
}

SIGNED_IN: Final = {"X-Awda-User": "fatima"}


async def registered(http: httpx2.AsyncClient) -> str:
    """Registers a case. It is applied only after the gateway, the relay and the case worker have done their part."""
    headers = SIGNED_IN | {"Idempotency-Key": "compose-1", "Prefer": "wait=30"}
    answer = await http.post("/api/v1/cases", json=REGISTRATION, headers=headers, timeout=40)
    assert answer.status_code == 200, answer.text
    assert answer.json()["status"] == "applied"
    return str(answer.json()["case_number"])


async def until_listed(http: httpx2.AsyncClient, number: str) -> None:
    """Waits until the projector has listed the case."""
    async with asyncio.timeout(20):
        while number not in (await http.get("/api/v1/cases", headers=SIGNED_IN)).text:
            await asyncio.sleep(0.1)


def verified(site: Site) -> dict[str, Any]:
    """Runs `verify` as deploy/README.md describes: in the case worker's container."""
    entry = site.image / "deploy" / "with-secrets"
    command = ("/bin/sh", entry, sys.executable, "-m", "cli.main", "verify", "--json")
    found: dict[str, Any] = json.loads(ran(*command, env=site.environment("case-worker")).stdout)
    return found


@pytest.mark.integration
async def test_a_process_without_its_secret_says_which_and_what_to_do(site: Site) -> None:
    env = site.environment("relay") | {"AWDA_MASTER_KEY_FILE": str(site.secrets / "elsewhere")}
    entry = site.image / "deploy" / "with-secrets"
    done = ran("/bin/sh", entry, sys.executable, "-m", "workers.main", "relay", env=env)
    assert done.returncode == 78
    assert "elsewhere cannot be read" in done.stderr
    assert "make-secrets" in done.stderr


@pytest.mark.integration
def test_a_process_is_given_what_its_secrets_hold_and_not_where_they_are(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("it's a $secret\n")
    env = {"PATH": os.defpath, "AWDA_SECRETS": str(tmp_path), "PGPASSWORD_FILE": str(tmp_path / "password")}
    env |= {"SSL_CERT_FILE": "/etc/other"}
    done = ran("/bin/sh", ROOT / "deploy" / "with-secrets", "env", env=env)
    given = dict(line.split("=", 1) for line in done.stdout.splitlines())
    assert given["PGPASSWORD"] == "it's a $secret"
    assert "PGPASSWORD_FILE" not in given
    assert given["SSL_CERT_FILE"] == "/etc/other"


@pytest.mark.integration
def test_secrets_are_made_once_and_kept(tmp_path: Path) -> None:
    script = make_secrets_in(tmp_path)
    assert ran("/bin/sh", script).returncode == 0
    made = {file.name: file.read_text() for file in (tmp_path / "secrets").iterdir()}
    assert ran("/bin/sh", script).returncode == 0
    assert {file.name: file.read_text() for file in (tmp_path / "secrets").iterdir()} == made
    assert set(made) == set(COMPOSE["secrets"])
    assert len(set(made.values())) == len(made)
    assert (tmp_path / "secrets").stat().st_mode & 0o777 == 0o700


def test_only_the_gateway_and_the_page_of_temporal_are_published_and_only_on_loopback() -> None:
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert set(published) == {"gateway", "temporal-ui"}
    assert all(port.startswith("127.0.0.1:") for ports in published.values() for port in ports)


def test_databases_and_temporal_have_no_way_out() -> None:
    closed = {name for name, network in COMPOSE["networks"].items() if network.get("internal") is True}
    assert closed == {"cases", "temporal", "temporal-store"}
    for name in ("postgres", "temporal-postgres", "temporal", "relay", "projector", "migrate"):
        assert set(SERVICES[name]["networks"]) <= closed, name
    assert "temporal" not in SERVICES["gateway"]["networks"], "the gateway never calls Temporal"


def test_only_the_case_worker_is_in_the_network_that_leads_to_partners() -> None:
    within = {name for name, service in SERVICES.items() if "partners" in service["networks"]}
    published = {name for name, service in SERVICES.items() if "front" in service["networks"]}
    assert within == {"case-worker"}
    assert published == {"gateway", "temporal-ui"}


def firewall_rules(tmp_path: Path, *servers: str) -> list[str]:
    """Returns the rules that the script adds to an empty firewall, which is replaced by a program that lists them."""
    added, substitute = tmp_path / "added", tmp_path / "iptables"
    substitute.write_text(f'#!/bin/sh\necho "$*" >> {added}\n[ "$1" != -C ]\n')
    substitute.chmod(0o755)
    path = os.pathsep.join((str(tmp_path), os.defpath))
    done = ran("/bin/sh", ROOT / "deploy" / "close-the-way-out", *servers, env={"PATH": path})
    assert done.returncode == 0, done.stderr
    return [line for line in added.read_text().splitlines() if not line.startswith("-C ")]


@pytest.mark.integration
def test_the_firewall_lets_nothing_through_to_partners_that_the_worker_would_not_call(tmp_path: Path) -> None:
    rules = firewall_rules(tmp_path, "10.0.0.2")
    closed = [IPv4Network(rule.split()[3]) for rule in rules if re.fullmatch(r"-A AWDA-OUT -d \S+ -j DROP", rule)]
    edges = [edge for network in closed for edge in (int(network[0]) - 1, int(network[0]), int(network[-1]))]
    everywhere = [*range(0, 2**32, 2**16), *(int(network[0]) for network in NEVER if network.version == 4)]
    for address in [IPv4Address(number % 2**32) for number in (*edges, *everywhere)]:
        assert is_public(address) is not any(address in network for network in closed), address
    last = rules.index("-A AWDA-OUT -p tcp --dport 443 -j RETURN")
    assert rules[last + 1] == "-A AWDA-OUT -j DROP"
    assert all(rules.index(f"-A AWDA-OUT -d {network} -j DROP") < last for network in closed)


@pytest.mark.integration
def test_the_firewall_knows_the_bridges_by_the_names_that_compose_gives_them(tmp_path: Path) -> None:
    named = {network["driver_opts"]["com.docker.network.bridge.name"] for name, network in COMPOSE["networks"].items() if "driver_opts" in network}  # fmt: skip
    rules = firewall_rules(tmp_path, "10.0.0.2")
    assert {rule.split()[3] for rule in rules if " -i " in rule} == named
    assert all(len(name) < 16 for name in named), "longer than an interface's name may be"


def test_whoever_keeps_or_looks_at_files_has_their_volume_and_only_the_gateway_may_write_there() -> None:
    mounted = {
        name: service["volumes"] for name, service in SERVICES.items() if service.get("build") and "volumes" in service
    }
    place = SERVICES["gateway"]["environment"]["AWDA_FILES"]
    assert mounted == {"gateway": [f"files:{place}"], "case-worker": [f"files:{place}:ro"]}
    assert SERVICES["case-worker"]["environment"]["AWDA_FILES"] == place
    assert f"--owner=awda --mode=700 {place}" in (ROOT / "Dockerfile").read_text()
    assert "files" in COMPOSE["volumes"]


def test_no_secret_stands_in_the_compose_file() -> None:
    for name, service in SERVICES.items():
        for variable, value in service.get("environment", {}).items():
            if re.search("PASSWORD|PWD|KEY|SECRET", variable):
                secret = value.removeprefix(f"{SECRETS}/")
                assert variable.endswith("_FILE"), (name, variable)
                assert secret in service["secrets"], (name, variable)
        assert set(service.get("secrets", ())) <= set(COMPOSE["secrets"])


def test_everything_the_compose_file_and_the_dockerfile_name_is_there() -> None:
    mounted = [volume.split(":")[0] for service in SERVICES.values() for volume in service.get("volumes", ())]
    files = [name for name in mounted if name.startswith("./")]
    files += [source for source, _ in COPIED.findall((ROOT / "Dockerfile").read_text())]
    assert files
    assert [name for name in files if not (ROOT / name).exists()] == []
    let_through = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert {source for source, _ in COPIED.findall((ROOT / "Dockerfile").read_text())} <= let_through
    waited_for = {name for service in SERVICES.values() for name in service.get("depends_on", ())}
    assert waited_for <= set(SERVICES)


@pytest.mark.integration
def test_compose_itself_finds_the_file_valid(tmp_path: Path) -> None:
    composer = next((words for words in (["docker-compose"], ["docker", "compose"]) if understands(words)), None)
    if composer is None:
        pytest.skip("neither docker-compose nor docker with its compose plugin is installed here")
    done = ran(*composer, "-f", ROOT / "docker-compose.yml", "config")
    assert done.returncode == 0, done.stderr
    assert all(f"{name}:" in done.stdout for name in SERVICES)


def understands(words: list[str]) -> bool:
    return shutil.which(words[0]) is not None and ran(*words, "version").returncode == 0
