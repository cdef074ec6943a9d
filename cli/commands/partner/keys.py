"""``awda partner key``: add, list, rotate and revoke the keys of a partner.

Inbound keys verify what a partner sends; outbound keys sign what it is sent.
"""

from __future__ import annotations

import re
import sys
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import rich_click as click

from cli.case_text import minute
from cli.context import CommandContext, run_with_context
from cli.options import OPERATOR, TimeParam, as_json
from cli.output import CommandError, ExitCode, emit, log, print_table
from domain.kernel.labels import label, words
from domain.kernel.vocabulary import ReferralKind, SignalType
from domain.referral.key_scope import KeyScope
from store.crypto.webhook_signatures import PRIVATE, PUBLIC, SECRET, new_pair, new_secret
from store.partners.keys import Direction, KeyEntry, add_key, key_entries, key_entry, revoke_key, rotate_key
from store.partners.registry import UnknownPartnerError, get

UNITS: Final = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}

SPAN: Final = re.compile(r"(\d{1,5})([mhdw])")

by = click.option("--as", "user", default=OPERATOR, show_default=True, metavar="USER", help="Acting user.")

ALGORITHMS: Final = {"v1": "HMAC-SHA256", "v1a": "Ed25519"}
"""Signature algorithms by their identifiers in Standard Webhooks."""


class DurationParam(click.ParamType[timedelta]):
    """A duration: 90m, 24h, 7d, 2w."""

    name = "span"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        if isinstance(value, timedelta):
            return value
        found = SPAN.fullmatch(value)
        if found is None:
            self.fail(f"{value!r} is not a duration; write 90m, 24h, 7d or 2w", param, ctx)
        return timedelta(**{UNITS[found[2]]: int(found[1])})


@click.group()
def key() -> None:
    """Manage the keys of partners."""


@key.command(
    "add",
    epilog="""\
Example: `awda partner key add clinic-misrata --generate` (a shared secret for messages from the clinic, shown once)

Example: `awda partner key add clinic-misrata whpk_… --kind MEDICAL_ASSESSMENT` (its laboratory's Ed25519 key)

Example: `awda partner key add clinic-misrata --outbound --generate --ed25519` (our key for messages to the clinic)""",
)
@click.argument("partner_id", metavar="PARTNER")
@click.argument("text", metavar="[KEY|-]", required=False)
@click.option("--generate", is_flag=True, help="Generate a key and print, once, the part that the partner needs.")
@click.option("--outbound", is_flag=True, help="Key for messages to the partner (default: from the partner).")
@click.option("--ed25519", is_flag=True, help="With --outbound --generate: key pair instead of a shared secret.")
@click.option(
    "--kind",
    "kinds",
    multiple=True,
    metavar="KIND",
    type=click.Choice(list(ReferralKind), case_sensitive=False),
    help="Restrict the key to this kind of referral; repeatable.",
)
@click.option(
    "--signal",
    "signals",
    multiple=True,
    metavar="TYPE",
    type=click.Choice(list(SignalType), case_sensitive=False),
    help="Restrict the key to this type of signal; repeatable. Statements of the person are always accepted.",
)
@click.option("--from", "valid_from", type=TimeParam(), metavar="TIME", help="Start of validity (default: now).")
@click.option("--until", "valid_until", type=TimeParam(), metavar="TIME", help="End of validity (default: none).")
@by
@as_json
def add_partner_key(
    *, partner_id: str, text: str | None, generate: bool, outbound: bool, ed25519: bool, kinds: tuple[str, ...],
    signals: tuple[str, ...], user: str, as_json: bool, **when: Any,
) -> None:  # fmt: skip
    """Add a key: whpk_… (public key, Ed25519) or whsec_… (shared secret). Use - to read it from standard input."""
    direction = Direction.OUTBOUND if outbound else Direction.INBOUND
    secret, shown = _key_to_add(text, direction, generate=generate, ed25519=ed25519)
    scope = KeyScope(_set(kinds, ReferralKind), _set(signals, SignalType))

    async def work(context: CommandContext) -> KeyEntry:
        about = {"direction": direction, "scope": scope, "by": f"staff:{user}", **when}
        key_id = await add_key(context.pool, context.keys.master, partner_id, secret, **about)
        return await key_entry(context.pool, key_id)

    _print_added(run_with_context(work), shown, as_json=as_json)


@key.command("list", epilog="Example: `awda partner key list clinic-misrata`")
@click.argument("partner_id", metavar="PARTNER")
@as_json
def list_keys(*, partner_id: str, as_json: bool) -> None:
    """List the keys of a partner, with their scope, validity and last use."""

    async def work(context: CommandContext) -> list[KeyEntry]:
        if await get(context.pool, partner_id) is None:
            raise UnknownPartnerError(f"there is no partner {partner_id!r}")
        return await key_entries(context.pool, partner_id)

    found = [key_json(entry) for entry in run_with_context(work)]
    headings = ("key", "direction", "algorithm", "state", "kinds of referral", "signals", "valid until", "last used at")
    none = f"{partner_id} has no key."
    emit(found, as_json=as_json, plain=lambda: print_table(headings, map(_cells, found), none=none))


def _cells(row: dict[str, Any]) -> list[Any]:
    kinds = "all" if row["kinds"] is None else ", ".join(label(ReferralKind(code)) for code in row["kinds"])
    signals = "all" if row["signals"] is None else ", ".join(map(words, row["signals"]))
    about = (row["key_id"], row["direction"], ALGORITHMS[row["algorithm"]], row["state"])
    return [*about, kinds, signals, minute(row["valid_until"]), minute(row["last_used_at"])]


@key.command(
    "rotate",
    epilog="""\
Example: `awda partner key rotate key-1f2e3d4c5b6a --grace 7d` (new secret; the old one stays valid for a week)

Example: `awda partner key rotate key-1f2e3d4c5b6a whpk_…` (a partner's new public key)""",
)
@click.argument("key_id", metavar="KEY_ID")
@click.argument("text", metavar="[KEY|-]", required=False)
@click.option(
    "--grace", type=DurationParam(), default="7d", show_default=True, help="Remaining validity of the old key."
)
@by
@as_json
def rotate(*, key_id: str, text: str | None, grace: timedelta, user: str, as_json: bool) -> None:
    """Replace a key by a new one of the same direction and scope. The old key ends after the grace period."""

    async def work(context: CommandContext) -> tuple[KeyEntry, str | None]:
        old = await key_entry(context.pool, key_id)
        secret, shown = _successor(old, text)
        new = await rotate_key(context.pool, context.keys.master, key_id, secret, grace=grace, by=f"staff:{user}")
        return await key_entry(context.pool, new), shown

    entry, shown = run_with_context(work)
    remaining = str(grace).removesuffix(", 0:00:00")
    log(f"Key {key_id} remains valid for {remaining}." if grace else f"Key {key_id} is no longer valid.")
    _print_added(entry, shown, as_json=as_json)


@key.command("revoke", epilog="Example: `awda partner key revoke key-1f2e3d4c5b6a`")
@click.argument("key_id", metavar="KEY_ID")
@by
@as_json
def revoke(*, key_id: str, user: str, as_json: bool) -> None:
    """Revoke a key that may be compromised. It is rejected within two seconds."""

    async def work(context: CommandContext) -> KeyEntry:
        await revoke_key(context.pool, key_id, by=f"staff:{user}")
        return await key_entry(context.pool, key_id)

    entry = run_with_context(work)
    emit(
        key_json(entry),
        as_json=as_json,
        plain=lambda: click.echo(f"Key {key_id} is revoked; it may be accepted for up to two more seconds."),
    )


def key_json(entry: KeyEntry) -> dict[str, Any]:
    """Returns a key as ``--json`` prints it, without its secret part."""
    scope = entry.scope
    return {
        "key_id": entry.key_id,
        "partner_id": entry.partner_id,
        "direction": entry.direction,
        "algorithm": entry.algorithm,
        "state": entry.state(datetime.now(UTC)),
        "public": entry.public,
        "kinds": None if scope.kinds is None else sorted(scope.kinds),
        "signals": None if scope.signals is None else sorted(scope.signals),
        "valid_from": _time(entry.valid_from),
        "valid_until": _time(entry.valid_until),
        "revoked_at": _time(entry.revoked_at),
        "last_used_at": _time(entry.last_used_at),
        "replaces": entry.replaces,
    }


def _key_to_add(text: str | None, direction: Direction, *, generate: bool, ed25519: bool) -> tuple[str, str | None]:
    """Returns the key to store, and the part to show; a key that the user gave is not shown."""
    if bool(text) == generate:
        raise CommandError(
            ExitCode.USAGE, "Give either a key or --generate.", "awda partner key add PARTNER --generate"
        )
    if ed25519 and not (generate and direction is Direction.OUTBOUND):
        raise CommandError(
            ExitCode.USAGE,
            f"--ed25519 is for outbound keys; a partner generates its own pair and gives its public key ({PUBLIC}…).",
            "awda partner key add PARTNER --outbound --generate --ed25519",
        )
    return _generate(pair=ed25519) if generate else (_read(text), None)


def _successor(old: KeyEntry, text: str | None) -> tuple[str, str | None]:
    if text is None and old.direction is Direction.INBOUND and old.algorithm == "v1a":
        message = f"Key {old.key_id} is a public key of the partner; the partner must provide the new key."
        raise CommandError(ExitCode.USAGE, message, f"awda partner key rotate {old.key_id} {PUBLIC}…")
    return _generate(pair=old.algorithm == "v1a") if text is None else (_read(text), None)


def _generate(*, pair: bool) -> tuple[str, str]:
    """Returns a new key, and the part of it that the partner needs."""
    if pair:
        return new_pair()
    secret = new_secret()
    return secret, secret


def _read(text: str | None) -> str:
    given = sys.stdin.readline().strip() if text == "-" else str(text)
    if given.startswith(PRIVATE):
        message = f"This is a private key ({PRIVATE}…); a private key must stay with its owner."
        todo = f"give the public key ({PUBLIC}…), or use --outbound --generate --ed25519 for our own key"
        raise CommandError(ExitCode.USAGE, message, todo)
    if text != "-" and given.startswith(SECRET):
        log("Other users of this machine can see a secret on the command line; use - to read it from standard input.")
    return given


def _print_added(entry: KeyEntry, shown: str | None, *, as_json: bool) -> None:
    secret = {"secret": shown} if shown and shown.startswith(SECRET) else {}
    emit({**key_json(entry), **secret}, as_json=as_json, plain=lambda: click.echo(shown or entry.key_id))
    if shown and not as_json:
        log(f"Key id: {entry.key_id}. Send the key to the partner over a secure channel; a secret is not shown again.")


def _set(given: tuple[str, ...], of: type[Any]) -> frozenset[Any] | None:
    return frozenset(of(each) for each in given) if given else None


def _time(at: datetime | None) -> str | None:
    return at.isoformat(timespec="seconds") if at else None
