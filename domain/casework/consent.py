"""Handlers of consent, which is given, refused or withdrawn for one purpose at any time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from domain.case.aggregate import Case
from domain.commands.screening import RecordConsent, WithdrawConsent
from domain.events.screening import ConsentGiven, ConsentRefused, ConsentWithdrawn
from domain.kernel.context import Context
from domain.kernel.errors import Rejected
from domain.kernel.event import Event
from domain.kernel.labels import label
from domain.kernel.vocabulary import Purpose
from domain.referral.disclosure import PUBLIC_PURPOSE
from domain.referral.requests import send_drafts


def record_consent(case: Case, command: RecordConsent, ctx: Context) -> Iterator[Event]:
    if not command.given:
        yield ConsentRefused(**_named(command.purpose), form_version=command.form_version)
        return
    yield ConsentGiven(
        **_named(command.purpose),
        form_version=command.form_version,
        language=command.language,
        method=command.method,
        given_by=command.given_by,
        excluded_partners=command.excluded_partners,
        witness=command.witness,
    )
    yield from send_drafts(case, ctx)


def withdraw_consent(case: Case, command: WithdrawConsent, _ctx: Context) -> Iterator[Event]:
    if command.purpose not in case.consents:
        raise Rejected(
            "CONSENT.NEVER_GIVEN",
            f"no consent to '{label(command.purpose)}' is recorded; there is nothing to withdraw",
            field="purpose",
        )
    yield ConsentWithdrawn(**_named(command.purpose))


def _named(purpose: Purpose) -> dict[str, Any]:
    """Returns the public name of a purpose, and the true purpose for the sealed field where they differ."""
    public = PUBLIC_PURPOSE.get(purpose, purpose)
    return {"purpose": public, "true_purpose": purpose if public is not purpose else None}
