"""Handlers of consent: given, refused or withdrawn for one purpose, at any time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from domain.case.aggregate import Case
from domain.commands.screening import RecordConsent, WithdrawConsent
from domain.events.screening import ConsentGiven, ConsentRefused, ConsentWithdrawn
from domain.kernel.context import Context
from domain.kernel.errors import Rejected
from domain.kernel.event import Event
from domain.kernel.vocabulary import Purpose
from domain.referral.disclosure import PUBLIC_PURPOSE
from domain.referral.requests import send_drafts


def record_consent(case: Case, report: RecordConsent, ctx: Context) -> Iterator[Event]:
    if not report.given:
        yield ConsentRefused(**_named(report.purpose), form_version=report.form_version)
        return
    yield ConsentGiven(
        **_named(report.purpose),
        form_version=report.form_version,
        language=report.language,
        method=report.method,
        given_by=report.given_by,
        excluded_partners=report.excluded_partners,
        witness=report.witness,
    )
    yield from send_drafts(case, ctx)


def withdraw_consent(case: Case, order: WithdrawConsent, _ctx: Context) -> Iterator[Event]:
    if order.purpose not in case.consents:
        raise Rejected("CONSENT.NEVER_GIVEN", "no such consent is recorded", field="purpose")
    yield ConsentWithdrawn(**_named(order.purpose))


def _named(purpose: Purpose) -> dict[str, Any]:
    """A purpose under its public name, with the true one sealed where they differ."""
    public = PUBLIC_PURPOSE.get(purpose, purpose)
    return {"purpose": public, "true_purpose": purpose if public is not purpose else None}
