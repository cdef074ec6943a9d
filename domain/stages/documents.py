"""Travel documents: a document that the country of return accepts, and the permit to leave Libya.

Who      the embassy; the exit authority
Shows    nationality confirmed; a travel document issued; an exit permit for that document's number
Done     travel document and exit permit are in force
Returned nationality not confirmed, not examined or changed, or a permit refused: a consular officer decides
Halts    a protection hold stops all disclosure to embassies and authorities
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, time
from functools import wraps
from typing import Final

from domain.case.aggregate import Case
from domain.case.referral import Referral
from domain.clearance.actions import grant, grant_on_answer, revoke, soon, task
from domain.clearance.nationality import nationality_confirmed
from domain.clearance.protection_concern import asked_in_private
from domain.clearance.revocations import Trigger, revocations
from domain.commands.documents import (
    ChangeNationality,
    HandOverTravelDocument,
    RecordTravelDocument,
    ReportDocumentLost,
)
from domain.events.documents import (
    ConsularInterviewMissed,
    ExitPermitGranted,
    ExitPermitRefused,
    ExitPermitRequested,
    NationalityChanged,
    NationalityConfirmed,
    NationalityNotConfirmed,
    NationalityNotExamined,
    TravelDocumentHandedOver,
    TravelDocumentIssued,
    TravelDocumentLost,
    TravelDocumentRefused,
)
from domain.events.partner_report import PartnerReport, ReferralOutcomeAmended
from domain.kernel.context import Context
from domain.kernel.errors import Rejected
from domain.kernel.event import Event
from domain.kernel.vocabulary import (
    ClearanceKind,
    ClearanceStatus,
    Phase,
    Purpose,
    ReferralKind,
    SignalType,
    Stage,
    TravelDocumentKind,
)
from domain.referral.nationality_change import latest_nationality_change, missing_after_nationality_change
from domain.referral.outcomes import parse_payload
from domain.referral.payloads import Document, Permit
from domain.referral.requests import may_request_again, refer, should_request
from domain.stages.stage import Meaning, Requirement, StageRules

NEEDED: Final = (ClearanceKind.TRAVEL_DOCUMENT, ClearanceKind.EXIT_PERMIT)


# Handlers


def change_nationality(case: Case, command: ChangeNationality, ctx: Context) -> Iterator[Event]:
    """Ends what was based on the former nationality (``domain.casework.invalidation``).

    After departure, a protection officer reviews the statement.
    """
    before = case.person.nationality if case.person else None
    if command.nationality == before:
        raise Rejected(
            "NATIONALITY.SAME", "this nationality is already on record; no change is needed", field="nationality"
        )
    yield NationalityChanged(before=before, nationality=command.nationality)
    if case.departed:
        yield task("look at what the person said after departure", "PROTECTION_OFFICER", soon(case, ctx), ctx)


def needed_before_embassy(case: Case, ctx: Context) -> list[Requirement]:
    """Returns what is required before an embassy is contacted about a nationality that the person stated later.

    The consent concerned the embassy of the former nationality. It must be given again, unless the travel document is
    already in force.
    """
    changed = latest_nationality_change(case)
    if changed is None or case.departed:
        return []
    codes = missing_after_nationality_change(case)
    needed = not case.has_clearance(ClearanceKind.TRAVEL_DOCUMENT, ctx.at)
    if needed and not case.consents_to(Purpose.SHARE_EMBASSY):
        codes = (*codes, "PERSON.SHARE_EMBASSY")
    return [
        Requirement(code, "COUNSELLOR", "NATIONALITY.ASK_FIRST", changed.timestamp, after=changed.TOPIC)
        for code in codes
    ]


def for_current_nationality(meaning: Meaning) -> Meaning:
    """Applies an answer only if the referral concerns the current nationality; otherwise creates a task."""

    @wraps(meaning)
    def checked(case: Case, referral: Referral, report: PartnerReport, ctx: Context) -> Iterator[Event]:
        if referral.version > case.nationality_since:
            yield from meaning(case, referral, report, ctx)
        else:
            yield _consular_task("look at an answer about a nationality that was changed since", referral, ctx)

    return checked


@for_current_nationality
def on_identity_answer(case: Case, referral: Referral, report: PartnerReport, ctx: Context) -> Iterator[Event]:
    outcome = report.outcome or ""
    if outcome == "NATIONALITY_CONFIRMED":
        yield NationalityConfirmed(confirmed_by=referral.partner_id)
    elif outcome in UNDECIDED and not isinstance(report, ReferralOutcomeAmended):
        yield from _not_examined(referral, outcome, ctx)
    else:
        yield from on_identity_retraction(case, referral, report, ctx)
        yield _consular_task("decide after nationality was not confirmed", referral, ctx)


UNDECIDED: Final[Mapping[str, str]] = {
    "INTERVIEW_NO_SHOW": "call the person, and arrange another interview",
    "REFUSED_TO_COOPERATE_PERSON": "ask the person in private whether an embassy is to be asked at all",
    "EMBASSY_CLOSED": "ask again when the embassy opens, or ask one elsewhere",
}
"""Outcomes without a finding on nationality, and the next step. An amendment to one of them retracts a confirmation."""


def _not_examined(referral: Referral, outcome: str, ctx: Context) -> Iterator[Event]:
    if outcome == "INTERVIEW_NO_SHOW":
        yield ConsularInterviewMissed(asked=referral.partner_id)
    else:
        yield NationalityNotExamined(asked=referral.partner_id, cause=outcome)
    yield _consular_task(UNDECIDED[outcome], referral, ctx)


@for_current_nationality
def on_identity_retraction(case: Case, referral: Referral, _report: PartnerReport, _ctx: Context) -> Iterator[Event]:
    """Revokes the clearances that are based on a nationality which is no longer confirmed."""
    was_confirmed = nationality_confirmed(case)
    yield NationalityNotConfirmed(asked=referral.partner_id)
    if was_confirmed:
        yield from revocations(case, Trigger.NATIONALITY_NOT_CONFIRMED)


@for_current_nationality
def on_document_answer(case: Case, referral: Referral, report: PartnerReport, ctx: Context) -> Iterator[Event]:
    """Applies the embassy's answer. A refusal also ends an earlier document; a consular officer decides about it."""
    if report.outcome != "ISSUED":
        yield TravelDocumentRefused(asked=referral.partner_id)
        yield from revocations(case, Trigger.DOCUMENT_REFUSED)
        yield _consular_task("decide after the document was refused", referral, ctx)
        return
    details: Document = parse_payload(ReferralKind.TRAVEL_DOCUMENT, report.visible_answer.get("payload"))
    yield from _issued(
        case, details.kind or TravelDocumentKind.LAISSEZ_PASSER, details.number or "", details.expires_on
    )
    yield from grant_on_answer(
        ClearanceKind.TRAVEL_DOCUMENT,
        ctx,
        since=report.counts_from,
        until=_end_of(details.expires_on),
        referral_id=referral.referral_id,
        queue="CONSULAR_LIAISON",
    )


def _issued(case: Case, kind: TravelDocumentKind, number: str, ends: date | None) -> Iterator[Event]:
    """Records a document. An exit permit is valid for one document number; another document needs another permit.

    See rule DOCUMENTS.PERMIT_NUMBER.
    """
    before = case.latest(TravelDocumentIssued)
    if before is not None and before.number != number:
        yield from revoke(case, ClearanceKind.EXIT_PERMIT, "DOCUMENT_NUMBER_CHANGED")
    yield TravelDocumentIssued(kind=kind, expires_on=ends, number=number)


def _end_of(day: date | None) -> datetime | None:
    return datetime.combine(day, time(23, 59, 59), UTC) if day else None


@for_current_nationality
def on_permit_answer(case: Case, referral: Referral, report: PartnerReport, ctx: Context) -> Iterator[Event]:
    """Applies the exit authority's answer. A refusal also ends an earlier permit.

    A travel ban or court proceedings hold the journey automatically.
    """
    details: Permit = parse_payload(ReferralKind.EXIT_PERMIT, report.visible_answer.get("payload"))
    if report.outcome != "GRANTED":
        yield ExitPermitRefused(reason=details.reason_class)
        yield from revocations(case, Trigger.PERMIT_REFUSED)
        yield _consular_task("decide after the exit permit was refused", referral, ctx)
        return
    yield ExitPermitGranted(
        airport=details.airport or "", expires_on=details.expires_on, permit_number=details.permit_number
    )
    yield from grant_on_answer(
        ClearanceKind.EXIT_PERMIT,
        ctx,
        since=report.counts_from,
        until=_end_of(details.expires_on),
        referral_id=referral.referral_id,
        queue="CONSULAR_LIAISON",
    )


def _consular_task(what: str, referral: Referral, ctx: Context) -> Event:
    return task(what, "CONSULAR_LIAISON", ctx.policy.pinned.quarantine_review, ctx, subject=str(referral.referral_id))


def record_travel_document(case: Case, command: RecordTravelDocument, ctx: Context) -> Iterator[Event]:
    if command.authenticity == "DOUBTED":
        raise Rejected(
            "DOCUMENT.DOUBTED",
            "the authenticity of the document is in doubt; refer the person to the embassy",
            field="authenticity",
        )
    if command.expires_on <= ctx.at.date():
        raise Rejected(
            "DOCUMENT.EXPIRED",
            f"the document expired on {command.expires_on:%d %B %Y}; request a new one from the embassy",
            field="expires_on",
        )
    _require_issuer(case, command.issued_by)
    yield NationalityConfirmed(confirmed_by=command.kind)
    yield from _issued(case, command.kind, command.number, command.expires_on)
    yield grant(ClearanceKind.TRAVEL_DOCUMENT, ctx, until=_end_of(command.expires_on), evidence="seen by staff")


def _require_issuer(case: Case, country: str | None) -> None:
    """Rejects a document that does not confirm the nationality on record."""
    if country is None and case.nationality_since:
        detail = "the nationality was changed after registration; state which country issued the document"
        raise Rejected("DOCUMENT.ISSUER", detail, field="issued_by")
    if country is not None and case.person is not None and country != case.person.nationality:
        detail = (
            "the issuing country differs from the nationality on record; change the nationality first if it is wrong"
        )
        raise Rejected("DOCUMENT.OTHER_NATIONALITY", detail, field="issued_by")


def hand_over_travel_document(case: Case, _command: HandOverTravelDocument, _ctx: Context) -> Iterator[Event]:
    if not case.has(TravelDocumentIssued):
        raise Rejected("DOCUMENT.NONE", "no travel document has been issued yet; record the document first")
    yield TravelDocumentHandedOver()


def report_document_lost(case: Case, _command: ReportDocumentLost, _ctx: Context) -> Iterator[Event]:
    yield TravelDocumentLost()
    yield from revocations(case, Trigger.DOCUMENT_LOST)


# Stage rules


def may_open(case: Case, _ctx: Context) -> str | None:
    """Embassies are contacted only after the private protection screening interview.

    See rule DOCUMENTS.AFTER_INTERVIEW.
    """
    if case.phase not in (Phase.PRE_DEPARTURE, Phase.DEPARTURE):
        return "PHASE"
    return None if asked_in_private(case) else "DOCUMENTS_MAY_NOT_START"


def follow_up(case: Case, ctx: Context) -> Iterator[Event]:
    """Creates the next referral for the current nationality: identity, travel document, then exit permit."""
    since = case.nationality_since
    if case.departed or needed_before_embassy(case, ctx):
        return
    if not nationality_confirmed(case):
        referrals = case.referrals_of(ReferralKind.CONSULAR_IDENTITY, since)
        if not referrals or may_request_again(case, referrals[-1]):
            yield from refer(case, ReferralKind.CONSULAR_IDENTITY, ctx)
    elif should_request(case, ClearanceKind.TRAVEL_DOCUMENT, ReferralKind.TRAVEL_DOCUMENT, ctx, since):
        yield from refer(case, ReferralKind.TRAVEL_DOCUMENT, ctx)
    elif case.has_clearance(ClearanceKind.TRAVEL_DOCUMENT, ctx.at) and should_request(
        case, ClearanceKind.EXIT_PERMIT, ReferralKind.EXIT_PERMIT, ctx, since
    ):
        yield ExitPermitRequested()
        yield from refer(case, ReferralKind.EXIT_PERMIT, ctx)


def missing(case: Case, ctx: Context) -> list[Requirement]:
    in_order = _missing_in_order(case, ctx)
    return needed_before_embassy(case, ctx) or in_order if in_order else []


def _missing_in_order(case: Case, ctx: Context) -> list[Requirement]:
    since = case.stages[Stage.DOCUMENTS].since
    if not nationality_confirmed(case):
        return [Requirement("EMBASSY.NATIONALITY", "embassy", "DOCUMENTS.IN_ORDER", since)]
    partners = {ClearanceKind.TRAVEL_DOCUMENT: "EMBASSY", ClearanceKind.EXIT_PERMIT: "EXIT_AUTHORITY"}
    return [
        Requirement(f"{who}.{kind}", who.lower(), "DOCUMENTS.IN_ORDER", since)
        for kind, who in partners.items()
        if not case.has_clearance(kind, ctx.at)
    ]


def reopens(case: Case, _ctx: Context) -> str | None:
    if not nationality_confirmed(case):
        return "NATIONALITY_NOT_CONFIRMED"
    ended = [kind for kind in NEEDED if case.clearances[kind].status is not ClearanceStatus.VALID]
    return ended[0] if ended else None


DOCUMENTS = StageRules(
    stage=Stage.DOCUMENTS,
    title="Travel documents",
    may_open=may_open,
    follow_up=follow_up,
    missing=missing,
    reopens=reopens,
    rules={
        ChangeNationality: change_nationality,
        RecordTravelDocument: record_travel_document,
        HandOverTravelDocument: hand_over_travel_document,
        ReportDocumentLost: report_document_lost,
    },
    answers={
        (ReferralKind.CONSULAR_IDENTITY, SignalType.COMPLETED): on_identity_answer,
        (ReferralKind.TRAVEL_DOCUMENT, SignalType.COMPLETED): on_document_answer,
        (ReferralKind.EXIT_PERMIT, SignalType.COMPLETED): on_permit_answer,
    },
    on_retraction={ReferralKind.CONSULAR_IDENTITY: on_identity_retraction},
    without_open_stage=frozenset({ChangeNationality}),
)
