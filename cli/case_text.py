"""Cases, histories and explanations as text for a terminal: words instead of codes, times to the minute."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import click

from cli.output import print_fields, print_table
from domain.kernel.labels import label, requirement, words
from domain.kernel.names import COUNTRIES, country_name
from domain.kernel.vocabulary import (
    ClearanceKind,
    ClearanceStatus,
    HoldType,
    Phase,
    Purpose,
    ReferralKind,
    ReferralStatus,
    Stage,
    StageStatus,
    Timeliness,
)
from domain.referral.disclosure import Recipient
from gateway.pages.time_format import clock

Data = Mapping[str, Any]

REFERRAL_HEADINGS: Final = ("referral", "partner", "status", "timeliness", "sent at", "due")

DISCLOSURE_HEADINGS: Final = ("disclosed to", "personal data", "consent", "state", "disclosed at")

FIELDS: Final[Mapping[str, str]] = {"dob_precision": "precision of date of birth"}
"""Fields of personal data whose name is not a plain word."""

DISCLOSURE_STATES: Final[Mapping[str, str]] = {
    "TOLD": "disclosed",
    "MAY_KNOW": "possibly disclosed",
    "WAITING": "not sent yet",
    "NEVER_LEFT": "never sent",
}


def print_case(case: Data) -> None:
    """Prints a case as ``awda case show`` does."""
    print_fields({
        "case": case["case_number"],
        "phase": label(Phase(case["phase"])),
        "country of return": country(case["country_of_return"]),
        "stages": ", ".join(_stage(*each) for each in case["stages"].items()),
        "holds": ", ".join(f"{_hold(hold)} (review due {minute(hold['review_by'])})" for hold in case["holds"]),
        "clearances": ", ".join(map(_clearance, case["clearances"])),
        "movement": case.get("movement"),
        "waiting for": requirement(case["waiting_on"]),
        "next deadline": minute(case["next_deadline"]),
        "version": case["version"],
    })  # fmt: skip
    if case["referrals"]:
        click.echo()
        print_table(REFERRAL_HEADINGS, [_referral(each) for each in case["referrals"]])
    if case["disclosures"]:
        click.echo()
        print_table(DISCLOSURE_HEADINGS, [_disclosure(each) for each in case["disclosures"]])


def _stage(stage: str, status: str) -> str:
    return f"{label(Stage(stage))}: {label(StageStatus(status))}"


def _hold(hold: Data) -> str:
    return label(HoldType(hold["type"]))


def _clearance(clearance: Data) -> str:
    return f"{label(ClearanceKind(clearance['kind']))}: {label(ClearanceStatus(clearance['status']))}"


def _referral(referral: Data) -> list[Any]:
    return [
        label(ReferralKind(referral["kind"])),
        referral["partner_id"],
        label(ReferralStatus(referral["status"])),
        label(Timeliness(referral["timeliness"])),
        minute(referral["sent_at"]),
        _due(referral),
    ]


def _disclosure(disclosure: Data) -> list[Any]:
    consent = disclosure["consent"]
    return [
        disclosure["recipient"],
        ", ".join(FIELDS.get(field) or field.replace("_", " ") for field in disclosure["fields"]),
        label(Purpose(consent)) if consent in Purpose.__members__ else words(consent or ""),
        DISCLOSURE_STATES[disclosure["fate"]],
        minute(disclosure["told_at"]),
    ]


def print_history(entries: Sequence[Data]) -> None:
    """Prints a history, oldest event first: one sentence for each event."""
    rows = [[each["version"], minute(each["happened_at"]), each["sentence"], each["actor"]] for each in entries]
    print_table(("version", "happened at", "event", "actor"), rows)


def print_explanation(found: Data) -> None:
    """Prints what a case or movement waits for and why, as ``awda case why`` does."""
    number = str(found.get("case_number") or found.get("number"))
    click.echo(f"{number}: {_position(found)}.")
    for each in found["waiting_on"]:
        waiting = f"Waiting for {requirement(each['code'])} from {_responsible(each['who'])}"
        click.echo(f"{waiting}{_since(each)}.")
        click.echo(f"  rule: {each['rule_title']} (`awda rule {each['rule']}`)")
        _print_cause(each["because"])
        _print_commands(number, each.get("settled_by", ()))
    for hold in found.get("holds", ()):
        reviewed = f"review by the {words(hold['owner'])} due {minute(hold['review_by'])}"
        click.echo(f"Hold ({_hold(hold)}) since {minute(hold['since'])}: {reviewed}.")
        _print_cause(hold["because"])
    if following := found["next"]:
        click.echo(f"Next, at {minute(following['at'])}: {following['what']}.")
    elif not found["waiting_on"]:
        click.echo("Nothing is outstanding.")


def _position(found: Data) -> str:
    if phase := found.get("phase"):
        return f"phase {label(Phase(phase))}"
    return f"status {words(found['status'])}" if found.get("status") else "not registered yet"


def _responsible(who: str) -> str:
    """Returns a role or a kind of partner in words; a partner's id stays as it is."""
    return words(who) if who.isupper() or who.upper() in Recipient.__members__ else who


def _since(awaited: Data) -> str:
    since = f" since {minute(awaited['since'])}" if awaited.get("since") else ""
    return since + (f", due {_due(awaited)}" if awaited.get("due") else "")


def _due(owed: Data) -> str:
    """Returns the due date, and why it moved if announced holidays moved it."""
    if not (moved := owed.get("moved")):
        return minute(owed["due"])
    return f"{minute(owed['due'])} (moved from {minute(moved['from'])}: closed on {', '.join(moved['closed'])})"


def _print_commands(number: str, messages: Sequence[Data]) -> None:
    for each in messages:
        target = number if each["to"] == "case" else each["to"].upper()
        click.echo(f"  record it with: awda {each['to']} send {target} {each['message']}")


def _print_cause(cause: Data | None) -> None:
    if cause:
        click.echo(f"  cause: version {cause['version']}, {minute(cause['happened_at'])}: {cause['sentence']}")


def minute(moment: str | None) -> str:
    """Returns an ISO time as people write it, to the minute; JSON output keeps the exact time."""
    return clock(datetime.fromisoformat(moment)) if moment else ""


def country(code: str | None) -> str:
    """Returns a country's English name; a code that is not in the list of countries stays as it is."""
    return country_name(code) if code and code in COUNTRIES else code or ""
