"""Cases in words, for a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import click

from cli.output import print_fields, print_table
from gateway.pages.time_format import clock

Told = Mapping[str, Any]


def tell_case(case: Told) -> None:
    print_fields({
        "case": case["case_number"],
        "phase": case["phase"],
        "stages": ", ".join(f"{stage} {status}" for stage, status in case["stages"].items()),
        "holds": ", ".join(f"{hold['type']} (review by {at(hold['review_by'])})" for hold in case["holds"]),
        "clearances": ", ".join(f"{each['kind']} {each['status']}" for each in case["clearances"]),
        "movement": case.get("movement"),
        "waiting on": case["waiting_on"],
        "next deadline": at(case["next_deadline"]),
        "version": case["version"],
    })  # fmt: skip
    if case["referrals"]:
        click.echo()
        columns = ("kind", "partner_id", "status", "timeliness")
        rows = [[*(each[name] for name in columns), at(each["sent_at"]), _due(each)] for each in case["referrals"]]
        print_table(("referral", *columns[1:], "sent at", "due"), rows)
    if case["disclosures"]:
        click.echo()
        rows = [_disclosed(each) for each in case["disclosures"]]
        print_table(("partner", "is told", "on the consent", "what became of it", "told at"), rows)


def _disclosed(each: Told) -> list[Any]:
    return [each["recipient"], ", ".join(each["fields"]), each["consent"], FATES[each["fate"]], at(each["told_at"])]


FATES: Final[Mapping[str, str]] = {
    "TOLD": "told",
    "MAY_KNOW": "the partner may know",
    "WAITING": "has not left yet",
    "NEVER_LEFT": "never left",
}


def tell_history(entries: Sequence[Told]) -> None:
    rows = [[each["version"], at(each["happened_at"]), each["sentence"], each["actor"]] for each in entries]
    print_table(("version", "happened at", "what", "who"), rows)


def tell_why(found: Told) -> None:
    name = str(found.get("case_number") or found.get("number"))
    click.echo(f"{name} is {found.get('phase') or found.get('status') or 'not registered yet'}.")
    for each in found["waiting_on"]:
        click.echo(f"It waits for {each['code']} from {each['who']}{_since(each)}.")
        click.echo(f"  rule: {each['rule_title']} (`awda rule {each['rule']}`)")
        _because(each["because"])
        _settled_by(name, each.get("settled_by", ()))
    for hold in found.get("holds", ()):
        reviewed = f"{hold['owner']} reviews it by {at(hold['review_by'])}"
        click.echo(f"Hold {hold['type']} since {at(hold['since'])}: {reviewed}.")
        _because(hold["because"])
    if ahead := found["next"]:
        click.echo(f"Next, at {at(ahead['at'])}: {ahead['what']}.")
    elif not found["waiting_on"]:
        click.echo("Nothing is awaited any more.")


def _since(awaited: Told) -> str:
    since = f" since {at(awaited['since'])}" if awaited.get("since") else ""
    return since + (f", due {_due(awaited)}" if awaited.get("due") else "")


def _due(owed: Told) -> str:
    """When it is due, and why that is not when it was due at first."""
    if not (moved := owed.get("moved")):
        return at(owed["due"])
    return f"{at(owed['due'])} (moved from {at(moved['from'])}: closed on {', '.join(moved['closed'])})"


def at(moment: str | None) -> str:
    """A moment for people, to the minute; whoever needs more asks for JSON."""
    return clock(datetime.fromisoformat(moment)) if moment else ""


def _settled_by(number: str, messages: Sequence[Told]) -> None:
    for each in messages:
        who = number if each["to"] == "case" else each["to"].upper()
        click.echo(f"  settled by: awda {each['to']} send {who} {each['message']}")


def _because(cause: Told | None) -> None:
    if cause:
        click.echo(f"  because of version {cause['version']}, {at(cause['happened_at'])}: {cause['sentence']}")
