"""The keys by which a partner is known, and those we sign with: added, seen, replaced, revoked."""

from __future__ import annotations

import re
import sys
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import rich_click as click

from cli.context import CommandContext, run_with_context
from cli.options import OPERATOR, TimeParam, as_json
from cli.output import CommandError, ExitCode, emit, log, print_table
from domain.kernel.vocabulary import ReferralKind, SignalType
from domain.referral.key_scope import KeyScope
from store.crypto.webhook_signatures import PRIVATE, PUBLIC, SECRET, new_pair, new_secret
from store.partners.keys import Direction, KeyEntry, add_key, key_entries, key_entry, revoke_key, rotate_key
from store.partners.registry import UnknownPartnerError, get

UNITS: Final = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}

SPAN: Final = re.compile(r"(\d{1,5})([mhdw])")

by = click.option("--as", "user", default=OPERATOR, show_default=True, metavar="USER", help="Who does it.")


class DurationParam(click.ParamType[timedelta]):
    """How long: 90m, 24h, 7d, 2w."""

    name = "span"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        if isinstance(value, timedelta):
            return value
        found = SPAN.fullmatch(value)
        if found is None:
            self.fail(f"{value!r} is no span of time: write 90m, 24h, 7d or 2w", param, ctx)
        return timedelta(**{UNITS[found[2]]: int(found[1])})


@click.group()
def key() -> None:
    """The keys by which a partner's messages are known, and those its own are signed with."""


@key.command(
    "add",
    epilog="""\
Example: `awda partner key add clinic-misrata --generate` (a shared secret for what the clinic sends, shown once)

Example: `awda partner key add clinic-misrata whpk_… --kind MEDICAL_ASSESSMENT` (its laboratory's Ed25519 key)

Example: `awda partner key add clinic-misrata --outbound --generate --ed25519` (ours, for what the clinic is sent)""",
)
@click.argument("partner_id", metavar="PARTNER")
@click.argument("text", metavar="[KEY|-]", required=False)
@click.option("--generate", is_flag=True, help="Make a key and print what the partner needs of it, this once.")
@click.option("--outbound", is_flag=True, help="For what the partner is sent; otherwise for what it sends.")
@click.option("--ed25519", is_flag=True, help="With --outbound --generate: a key pair instead of a shared secret.")
@click.option(
    "--kind",
    "kinds",
    multiple=True,
    metavar="KIND",
    type=click.Choice(list(ReferralKind), case_sensitive=False),
    help="Only for this kind of referral; repeatable.",
)
@click.option(
    "--signal",
    "signals",
    multiple=True,
    metavar="TYPE",
    type=click.Choice(list(SignalType), case_sensitive=False),
    help="Only for signals of this type; repeatable. What the person says always passes.",
)
@click.option("--from", "valid_from", type=TimeParam(), metavar="TIME", help="When it begins to count, if not now.")
@click.option("--until", "valid_until", type=TimeParam(), metavar="TIME", help="When it ends by itself.")
@by
@as_json
def add_partner_key(
    *, partner_id: str, text: str | None, generate: bool, outbound: bool, ed25519: bool, kinds: tuple[str, ...],
    signals: tuple[str, ...], user: str, as_json: bool, **when: Any,
) -> None:  # fmt: skip
    """Let a key count: whpk_… (public, Ed25519) or whsec_… (shared secret); - reads it from standard input."""
    direction = Direction.OUTBOUND if outbound else Direction.INBOUND
    secret, shown = _key(text, direction, generate=generate, ed25519=ed25519)
    scope = KeyScope(_set(kinds, ReferralKind), _set(signals, SignalType))

    async def work(context: CommandContext) -> KeyEntry:
        about = {"direction": direction, "scope": scope, "by": f"staff:{user}", **when}
        made = await add_key(context.pool, context.keys.master, partner_id, secret, **about)
        return await key_entry(context.pool, made)

    _given(run_with_context(work), shown, as_json=as_json)


@key.command("list", epilog="Example: `awda partner key list clinic-misrata`")
@click.argument("partner_id", metavar="PARTNER")
@as_json
def list_keys(*, partner_id: str, as_json: bool) -> None:
    """List a partner's keys: what each is for, how long it counts, and when it was last used."""

    async def work(context: CommandContext) -> list[KeyEntry]:
        if await get(context.pool, partner_id) is None:
            raise UnknownPartnerError(f"there is no partner {partner_id!r}")
        return await key_entries(context.pool, partner_id)

    found = [shown_key(entry) for entry in run_with_context(work)]
    columns = ("key_id", "direction", "algorithm", "state", "kinds", "signals", "valid_until", "last_used_at")

    def plain() -> None:
        rows = [[", ".join(v) if isinstance(v := row[name], list) else v for name in columns] for row in found]
        print_table([name.replace("_", " ") for name in columns], rows, none=f"{partner_id} has no key, and had none.")

    emit(found, as_json=as_json, plain=plain)


@key.command(
    "rotate",
    epilog="""\
Example: `awda partner key rotate key-1f2e3d4c5b6a --grace 7d` (a new secret, shown once; the old one counts for a week)

Example: `awda partner key rotate key-1f2e3d4c5b6a whpk_…` (a partner's new public key)""",
)
@click.argument("key_id", metavar="KEY_ID")
@click.argument("text", metavar="[KEY|-]", required=False)
@click.option(
    "--grace", type=DurationParam(), default="7d", show_default=True, help="How long the old key goes on counting."
)
@by
@as_json
def rotate(*, key_id: str, text: str | None, grace: timedelta, user: str, as_json: bool) -> None:
    """Replace a key by a new one of the same direction and scope; the old one ends by itself after the grace."""

    async def work(context: CommandContext) -> tuple[KeyEntry, str | None]:
        old = await key_entry(context.pool, key_id)
        secret, shown = _next(old, text)
        new = await rotate_key(context.pool, context.keys.master, key_id, secret, grace=grace, by=f"staff:{user}")
        return await key_entry(context.pool, new), shown

    entry, shown = run_with_context(work)
    lasting = str(grace).removesuffix(", 0:00:00")
    log(f"{key_id} goes on counting for {lasting}, then ends by itself." if grace else f"{key_id} counts no longer.")
    _given(entry, shown, as_json=as_json)


@key.command("revoke", epilog="Example: `awda partner key revoke key-1f2e3d4c5b6a`")
@click.argument("key_id", metavar="KEY_ID")
@by
@as_json
def revoke(*, key_id: str, user: str, as_json: bool) -> None:
    """Accept a key no longer, within two seconds: for one that somebody else may have."""

    async def work(context: CommandContext) -> KeyEntry:
        await revoke_key(context.pool, key_id, by=f"staff:{user}")
        return await key_entry(context.pool, key_id)

    entry = run_with_context(work)
    emit(
        shown_key(entry),
        as_json=as_json,
        plain=lambda: click.echo(f"{key_id} is revoked, and counts for two seconds more at most."),
    )


def shown_key(entry: KeyEntry) -> dict[str, Any]:
    """A key as JSON: nothing of it that is secret."""
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


def _key(text: str | None, direction: Direction, *, generate: bool, ed25519: bool) -> tuple[str, str | None]:
    """The key to keep, and what of it is shown: nothing of one that was given."""
    if bool(text) == generate:
        raise CommandError(ExitCode.USAGE, "Give one key, or ask for one.", "awda partner key add PARTNER --generate")
    if ed25519 and not (generate and direction is Direction.OUTBOUND):
        raise CommandError(
            ExitCode.USAGE,
            f"A partner makes its own key pair and gives its {PUBLIC} half; --ed25519 makes ours, for what goes out.",
            "awda partner key add PARTNER --outbound --generate --ed25519",
        )
    return _made(pair=ed25519) if generate else (_read(text), None)


def _next(old: KeyEntry, text: str | None) -> tuple[str, str | None]:
    if text is None and old.direction is Direction.INBOUND and old.algorithm == "v1a":
        said = f"{old.key_id} is a partner's public key: its successor comes from the partner."
        raise CommandError(ExitCode.USAGE, said, f"awda partner key rotate {old.key_id} {PUBLIC}…")
    return _made(pair=old.algorithm == "v1a") if text is None else (_read(text), None)


def _made(*, pair: bool) -> tuple[str, str]:
    """A fresh key, and the part of it that the partner must have."""
    if pair:
        return new_pair()
    secret = new_secret()
    return secret, secret


def _read(text: str | None) -> str:
    given = sys.stdin.readline().strip() if text == "-" else str(text)
    if given.startswith(PRIVATE):
        said = f"A {PRIVATE} key never leaves whoever made it."
        raise CommandError(
            ExitCode.USAGE, said, f"its {PUBLIC} half, or --outbound --generate --ed25519 for one of ours"
        )
    if text != "-" and given.startswith(SECRET):
        log("A secret on the command line can be seen by others on this machine; - reads it from standard input.")
    return given


def _given(entry: KeyEntry, shown: str | None, *, as_json: bool) -> None:
    secret = {"secret": shown} if shown and shown.startswith(SECRET) else {}
    emit({**shown_key(entry), **secret}, as_json=as_json, plain=lambda: click.echo(shown or entry.key_id))
    if shown and not as_json:
        log(f"This is {entry.key_id}; hand it over by a safe way. A secret is not shown again.")


def _set(given: tuple[str, ...], of: type[Any]) -> frozenset[Any] | None:
    return frozenset(of(each) for each in given) if given else None


def _time(at: datetime | None) -> str | None:
    return at.isoformat(timespec="seconds") if at else None
