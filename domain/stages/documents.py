"""Travel documents: a paper the destination accepts, and the permission to leave Libya.

Who      the embassy; the exit authority
Shows    nationality confirmed; a travel document issued; an exit permit for that document's number
Done     document and exit permit are in force
Returned nationality not confirmed, not examined or changed, a permit refused: a consular officer decides what is next
Halts    a protection hold stops every word to embassies and authorities
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


# Rules


def change_nationality(case: Case, report: ChangeNationality, ctx: Context) -> Iterator[Event]:
    """Ends what rested on the former nationality (``domain.casework.invalidation``).

    After departure a protection officer reviews it.
    """
    before = case.person.nationality if case.person else None
    if report.nationality == before:
        raise Rejected("NATIONALITY.SAME", "that nationality is the one on record already", field="nationality")
    yield NationalityChanged(before=before, nationality=report.nationality)
    if case.departed:
        yield task("look at what the person said after departure", "PROTECTION_OFFICER", soon(case, ctx), ctx)


def ask_first(case: Case, ctx: Context) -> list[Requirement]:
    """What comes before any word to an embassy, once the person has named another nationality.

    Consent was given for the embassy of the former one; it is given anew, unless no embassy is needed any more.
    """
    changed = latest_nationality_change(case)
    if changed is None or case.departed:
        return []
    codes, needed = (
        missing_after_nationality_change(case),
        not case.has_clearance(ClearanceKind.TRAVEL_DOCUMENT, ctx.at),
    )
    if needed and not case.consents_to(Purpose.SHARE_EMBASSY):
        codes = (*codes, "PERSON.SHARE_EMBASSY")
    return [
        Requirement(code, "COUNSELLOR", "NATIONALITY.ASK_FIRST", changed.timestamp, after=changed.TOPIC)
        for code in codes
    ]


def of_the_nationality_named(meaning: Meaning) -> Meaning:
    """What was asked before the person named another nationality decides nothing about this one."""

    @wraps(meaning)
    def answered(case: Case, referral: Referral, told: PartnerReport, ctx: Context) -> Iterator[Event]:
        if referral.version > case.nationality_since:
            yield from meaning(case, referral, told, ctx)
        else:
            yield _consular_task("look at an answer about a nationality that was changed since", referral, ctx)

    return answered


@of_the_nationality_named
def identity_answered(case: Case, referral: Referral, told: PartnerReport, ctx: Context) -> Iterator[Event]:
    outcome = told.outcome or ""
    if outcome == "NATIONALITY_CONFIRMED":
        yield NationalityConfirmed(confirmed_by=referral.partner_id)
    elif outcome in UNDECIDED and not isinstance(told, ReferralOutcomeAmended):
        yield from _not_examined(referral, outcome, ctx)
    else:
        yield from identity_taken_back(case, referral, told, ctx)
        yield _consular_task("decide after nationality was not confirmed", referral, ctx)


UNDECIDED: Final[Mapping[str, str]] = {
    "INTERVIEW_NO_SHOW": "call the person, and arrange another interview",
    "REFUSED_TO_COOPERATE_PERSON": "ask the person in private whether an embassy is to be asked at all",
    "EMBASSY_CLOSED": "ask again when the embassy opens, or ask one elsewhere",
}
"""Outcomes that leave the nationality as open as it was, and what is to be done next. An amendment to one of them takes
back what had been confirmed."""


def _not_examined(referral: Referral, outcome: str, ctx: Context) -> Iterator[Event]:
    if outcome == "INTERVIEW_NO_SHOW":
        yield ConsularInterviewMissed(asked=referral.partner_id)
    else:
        yield NationalityNotExamined(asked=referral.partner_id, cause=outcome)
    yield _consular_task(UNDECIDED[outcome], referral, ctx)


@of_the_nationality_named
def identity_taken_back(case: Case, referral: Referral, _told: PartnerReport, _ctx: Context) -> Iterator[Event]:
    """Papers that rest on a nationality which is not confirmed any more clear no way."""
    was_confirmed = nationality_confirmed(case)
    yield NationalityNotConfirmed(asked=referral.partner_id)
    if was_confirmed:
        yield from revocations(case, Trigger.NATIONALITY_NOT_CONFIRMED)


@of_the_nationality_named
def document_answered(case: Case, referral: Referral, told: PartnerReport, ctx: Context) -> Iterator[Event]:
    """A no ends an older document as well: a consular officer decides what it is worth."""
    if told.outcome != "ISSUED":
        yield TravelDocumentRefused(asked=referral.partner_id)
        yield from revocations(case, Trigger.DOCUMENT_REFUSED)
        yield _consular_task("decide after the document was refused", referral, ctx)
        return
    paper: Document = parse_payload(ReferralKind.TRAVEL_DOCUMENT, told.told.get("payload"))
    yield from _issued(case, paper.kind or TravelDocumentKind.LAISSEZ_PASSER, paper.number or "", paper.expires_on)
    yield from grant_on_answer(
        ClearanceKind.TRAVEL_DOCUMENT,
        ctx,
        since=told.counts_from,
        until=_end_of(paper.expires_on),
        referral_id=referral.referral_id,
        queue="CONSULAR_LIAISON",
    )


def _issued(case: Case, kind: TravelDocumentKind, number: str, ends: date | None) -> Iterator[Event]:
    """An exit permit holds for one document's number; another document needs another permit.

    See rule DOCUMENTS.PERMIT_NUMBER.
    """
    before = case.latest(TravelDocumentIssued)
    if before is not None and before.number != number:
        yield from revoke(case, ClearanceKind.EXIT_PERMIT, "DOCUMENT_NUMBER_CHANGED")
    yield TravelDocumentIssued(kind=kind, expires_on=ends, number=number)


def _end_of(day: date | None) -> datetime | None:
    return datetime.combine(day, time(23, 59, 59), UTC) if day else None


@of_the_nationality_named
def permit_answered(case: Case, referral: Referral, told: PartnerReport, ctx: Context) -> Iterator[Event]:
    """A no ends an older permit as well; a ban or a case before a court holds the journey by itself."""
    paper: Permit = parse_payload(ReferralKind.EXIT_PERMIT, told.told.get("payload"))
    if told.outcome != "GRANTED":
        yield ExitPermitRefused(reason=paper.reason_class)
        yield from revocations(case, Trigger.PERMIT_REFUSED)
        yield _consular_task("decide after the exit permit was refused", referral, ctx)
        return
    yield ExitPermitGranted(airport=paper.airport or "", expires_on=paper.expires_on, permit_number=paper.permit_number)
    yield from grant_on_answer(
        ClearanceKind.EXIT_PERMIT,
        ctx,
        since=told.counts_from,
        until=_end_of(paper.expires_on),
        referral_id=referral.referral_id,
        queue="CONSULAR_LIAISON",
    )


def _consular_task(what: str, referral: Referral, ctx: Context) -> Event:
    return task(what, "CONSULAR_LIAISON", ctx.policy.pinned.quarantine_review, ctx, subject=str(referral.referral_id))


def record_travel_document(case: Case, report: RecordTravelDocument, ctx: Context) -> Iterator[Event]:
    if report.authenticity == "DOUBTED":
        raise Rejected("DOCUMENT.DOUBTED", "a document in doubt clears nothing; ask the embassy", field="authenticity")
    if report.expires_on <= ctx.at.date():
        raise Rejected(
            "DOCUMENT.EXPIRED", f"expired on {report.expires_on}; ask the embassy for a new one", field="expires_on"
        )
    _insist_on_issuer(case, report.issued_by)
    yield NationalityConfirmed(confirmed_by=report.kind)
    yield from _issued(case, report.kind, report.number, report.expires_on)
    yield grant(ClearanceKind.TRAVEL_DOCUMENT, ctx, until=_end_of(report.expires_on), evidence="seen by staff")


def _insist_on_issuer(case: Case, country: str | None) -> None:
    """A document says which nationality it confirms: not one that the person has named before, nor another."""
    if country is None and case.nationality_since:
        detail = "another nationality was named since registration; say which country issued the document"
        raise Rejected("DOCUMENT.ISSUER", detail, field="issued_by")
    if country is not None and case.person is not None and country != case.person.nationality:
        detail = "it is not of the nationality on record; change that first if the person says so"
        raise Rejected("DOCUMENT.OTHER_NATIONALITY", detail, field="issued_by")


def hand_over_travel_document(case: Case, _report: HandOverTravelDocument, _ctx: Context) -> Iterator[Event]:
    if not case.has(TravelDocumentIssued):
        raise Rejected("DOCUMENT.NONE", "no document has been issued yet")
    yield TravelDocumentHandedOver()


def report_document_lost(case: Case, _report: ReportDocumentLost, _ctx: Context) -> Iterator[Event]:
    yield TravelDocumentLost()
    yield from revocations(case, Trigger.DOCUMENT_LOST)


# The stage


def may_open(case: Case, _ctx: Context) -> str | None:
    """No word to an embassy before the private question on return has been asked and answered.

    See rule DOCUMENTS.AFTER_INTERVIEW.
    """
    if case.phase not in (Phase.PRE_DEPARTURE, Phase.DEPARTURE):
        return "PHASE"
    return None if asked_in_private(case) else "DOCUMENTS_MAY_NOT_START"


def follow_up(case: Case, ctx: Context) -> Iterator[Event]:
    """Identity, then the document, then the permit for that document's number; of the nationality now named."""
    named = case.nationality_since
    if case.departed or ask_first(case, ctx):
        return
    if not nationality_confirmed(case):
        asked = case.referrals_of(ReferralKind.CONSULAR_IDENTITY, named)
        if not asked or may_request_again(case, asked[-1]):
            yield from refer(case, ReferralKind.CONSULAR_IDENTITY, ctx)
    elif should_request(case, ClearanceKind.TRAVEL_DOCUMENT, ReferralKind.TRAVEL_DOCUMENT, ctx, named):
        yield from refer(case, ReferralKind.TRAVEL_DOCUMENT, ctx)
    elif case.has_clearance(ClearanceKind.TRAVEL_DOCUMENT, ctx.at) and should_request(
        case, ClearanceKind.EXIT_PERMIT, ReferralKind.EXIT_PERMIT, ctx, named
    ):
        yield ExitPermitRequested()
        yield from refer(case, ReferralKind.EXIT_PERMIT, ctx)


def missing(case: Case, ctx: Context) -> list[Requirement]:
    owed = _owed(case, ctx)
    return ask_first(case, ctx) or owed if owed else []


def _owed(case: Case, ctx: Context) -> list[Requirement]:
    since = case.stages[Stage.DOCUMENTS].since
    if not nationality_confirmed(case):
        return [Requirement("EMBASSY.NATIONALITY", "embassy", "DOCUMENTS.IN_ORDER", since)]
    owed = {ClearanceKind.TRAVEL_DOCUMENT: "EMBASSY", ClearanceKind.EXIT_PERMIT: "EXIT_AUTHORITY"}
    return [
        Requirement(f"{who}.{kind}", who.lower(), "DOCUMENTS.IN_ORDER", since)
        for kind, who in owed.items()
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
        (ReferralKind.CONSULAR_IDENTITY, SignalType.COMPLETED): identity_answered,
        (ReferralKind.TRAVEL_DOCUMENT, SignalType.COMPLETED): document_answered,
        (ReferralKind.EXIT_PERMIT, SignalType.COMPLETED): permit_answered,
    },
    on_retraction={ReferralKind.CONSULAR_IDENTITY: identity_taken_back},
    without_open_stage=frozenset({ChangeNationality}),
)
