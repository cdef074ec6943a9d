"""Screening: who the person is, what they need at once, and whether they want to return of their own free will.

Who      a counsellor with an interpreter; a protection officer on call
Shows    consent, counselling, a private interview on fear of return, vulnerability, voluntariness, a signed declaration
Done     eligible, the declaration signed, screening completed by the counsellor
Returned the declaration is not free, not understood, or the person is undecided
Halts    fear of return, doubt about capacity or pressure: a protection officer decides
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Final

from domain.case.aggregate import Case
from domain.casework.consent import record_consent, withdraw_consent
from domain.clearance.actions import grant, hold, soon, task
from domain.clearance.protection_concern import (
    CONCERN,
    asked_in_private,
    record_private_interview,
    record_protection_concern,
)
from domain.clearance.revocations import Trigger, revocations
from domain.clearance.voluntariness import latest_doubt, still_stands
from domain.commands.screening import (
    AssessVoluntariness,
    CompleteScreening,
    DetermineEligibility,
    RecordConsent,
    RecordCounselling,
    RecordDetention,
    RecordNonRefoulementScreen,
    RecordRelease,
    RecordVulnerabilityAssessment,
    RegisterCase,
    SignVoluntaryReturnDeclaration,
    WithdrawConsent,
    concluded,
)
from domain.events.case import CaseRegistered
from domain.events.screening import (
    ELIGIBLE,
    ConsentGiven,
    CounsellingSessionHeld,
    DetentionRecorded,
    DetentionReleased,
    EligibilityDetermined,
    NonRefoulementScreened,
    ScreeningCompleted,
    ScreeningStarted,
    VoluntarinessAssessed,
    VoluntaryReturnDeclared,
    VulnerabilityAssessed,
)
from domain.kernel.aggregate import SomeEvent
from domain.kernel.context import Context
from domain.kernel.errors import Rejected
from domain.kernel.event import Event
from domain.kernel.message import Message
from domain.kernel.vocabulary import DETAINED, ClearanceKind, HoldType, Phase, Purpose, RiskLevel, Stage, StageStatus
from domain.kernel.working_time import LIBYA
from domain.procedure import NEWEST as NEWEST_PROCEDURE
from domain.stages.stage import Requirement, StageRules

HELD_AFTER: Final[Mapping[str, HoldType]] = {
    "UNDECIDED": HoldType.CONSENT,
    "DECLINED": HoldType.CONSENT,
    "NOT_SAFE_TO_RETURN": HoldType.SAFETY,
}
"""Decisions that hold whoever had been found eligible before."""


# Rules


def register_case(case: Case, order: RegisterCase, ctx: Context) -> Iterator[Event]:
    if case.phase is not None:
        raise Rejected("CASE.EXISTS", f"the case is already registered as {case.number}")
    if not order.consent_to_data_processing and not order.emergency_override:
        raise Rejected(
            "CONSENT.DATA_PROCESSING",
            "without the person's consent only an emergency_override with its reason opens a case",
            field="consent_to_data_processing",
        )
    if order.person.date_of_birth is not None and order.person.date_of_birth > ctx.at.date():
        raise Rejected("PERSON.NOT_BORN_YET", "the date of birth lies ahead; correct it", field="person.date_of_birth")
    yield CaseRegistered(
        number=case.number,
        edition=NEWEST_PROCEDURE,
        policy_edition=ctx.policy.edition,
        channel=order.channel,
        office=order.office,
        living_situation=order.living_situation,
        country_of_return=order.country_of_return,
        registered_on=order.registered_on or ctx.at,
        source=order.source,
        person=order.person,
    )
    if order.consent_to_data_processing:
        yield ConsentGiven(
            purpose=Purpose.DATA_PROCESSING,
            form_version=order.form_version,
            language=order.language,
            method="SIGNATURE",
            given_by="SELF",
        )
    if order.living_situation in DETAINED:
        yield hold(HoldType.DETENTION, ctx)
    if order.person.is_child(ctx.at.date()):
        yield hold(HoldType.CHILD, ctx)


def record_counselling(_case: Case, report: RecordCounselling, _ctx: Context) -> Iterator[Event]:
    yield CounsellingSessionHeld(topics=report.topics, language=report.language)


def record_non_refoulement_screen(case: Case, report: RecordNonRefoulementScreen, ctx: Context) -> Iterator[Event]:
    """Any expression of fear counts. Outside it looks like any other matter of protection, heard here or elsewhere."""
    fear = report.outcome != "NO_CLAIM"
    yield NonRefoulementScreened(outcome=report.outcome, account=report.account)
    yield from record_private_interview(case, ctx, fear=fear, concern=report.concern)


def record_vulnerability_assessment(case: Case, report: RecordVulnerabilityAssessment, ctx: Context) -> Iterator[Event]:
    """What is found after protection has begun to look, or has cleared the way, is a concern like any other."""
    concern = _has_been_looked_at(case, ctx) and _is_news(case.latest(VulnerabilityAssessed), report)
    yield VulnerabilityAssessed(
        risk_level=report.overall_risk, nothing_indicated=not report.factors, factors=report.factors
    )
    if concern:
        content = {"risk_level": report.overall_risk, "factors": list(report.factors)}
        yield from record_protection_concern(case, ctx, true_name=CONCERN, content=content)


def _has_been_looked_at(case: Case, ctx: Context) -> bool:
    begun = case.stages[Stage.PROTECTION].status is not StageStatus.NOT_STARTED
    return begun or case.has_clearance(ClearanceKind.PROTECTION_CLEARANCE, ctx.at)


def _is_news(before: VulnerabilityAssessed | None, report: RecordVulnerabilityAssessment) -> bool:
    """High risk always is; otherwise a higher risk than before, or a factor that was not known."""
    if before is None or report.overall_risk is RiskLevel.HIGH:
        return True
    order = list(RiskLevel)
    worse = order.index(report.overall_risk) < order.index(before.risk_level)
    return worse or not set(report.factors) <= set(before.factors or ())


def assess_voluntariness(case: Case, report: AssessVoluntariness, ctx: Context) -> Iterator[Event]:
    """A person's judgement, by name. Doubt is not a no: it stops the declaration until somebody looks again.

    What was declared already counts no longer, and whoever sits in the aircraft is taken off.
    """
    result = concluded(report)
    yield VoluntarinessAssessed(
        result=result,
        in_private=report.in_private,
        assessor=ctx.actor,
        held_at=ctx.said_at,
        coercion_indicators=report.coercion_indicators,
    )
    if result != "VOLUNTARY" and case.has(VoluntaryReturnDeclared):
        yield from _declared_in_vain(case, ctx)


def _declared_in_vain(case: Case, ctx: Context) -> Iterator[Event]:
    """Somebody has declared who may not want to go: the journey stops, and a person talks with them."""
    yield from revocations(case, Trigger.NOT_VOLUNTARY)
    if not case.departed and not case.holds_of(HoldType.CONSENT):
        yield hold(HoldType.CONSENT, ctx)
    yield task("talk with the person about the wish to return", "CASE_SUPERVISOR", soon(case, ctx), ctx)


def sign_voluntary_return_declaration(
    case: Case, order: SignVoluntaryReturnDeclaration, ctx: Context
) -> Iterator[Event]:
    _insist_on_free_will(case, ctx)
    signed_at = order.signed_at or ctx.said_at
    _insist_on_new_wish(case, signed_at)
    yield VoluntaryReturnDeclared(
        country=order.country,
        form_version=order.form_version,
        language=order.language,
        signed_at=signed_at,
        signer=order.signer,
        place_anew=_names_another_place(case, order),
        locality=order.locality,
        witness=order.witness,
    )
    if case.stages[Stage.SCREENING].status is StageStatus.COMPLETED:
        yield _consent_to_return(case, ctx)


def _names_another_place(case: Case, order: SignVoluntaryReturnDeclaration) -> bool:
    """Whether the place differs from the last one named; the first is another one if safety was looked at without it.

    Asked here, where both can be read: outside the seal stands only the answer.
    """
    if order.locality is None:
        return False
    named = [declared.locality for declared in case.every(VoluntaryReturnDeclared) if declared.locality]
    if not named:
        return ClearanceKind.SAFETY_OF_RETURN in case.clearances
    return order.locality.strip().casefold() != named[-1].strip().casefold()


def _insist_on_new_wish(case: Case, signed_at: datetime) -> None:
    """A paper that was signed before the person withdrew says nothing about what they want now."""
    doubt = latest_doubt(case)
    if doubt is not None and signed_at < doubt.timestamp:
        raise Rejected(
            "VRD.SIGNED_BEFORE",
            f"signed {signed_at:%d %B %Y %H:%M UTC}, and the wish has been in doubt since "
            f"{doubt.timestamp:%d %B %Y %H:%M UTC}; let the person sign again if they want to go",
            field="signed_at",
        )


def _insist_on_free_will(case: Case, ctx: Context) -> None:
    assessed = case.latest(VoluntarinessAssessed)
    if assessed is None or assessed.result != "VOLUNTARY":
        result = assessed.result if assessed else "not assessed"
        raise Rejected("VRD.VOLUNTARINESS", f"voluntariness is {result}; assess it before the declaration is signed")
    if not still_stands(case, assessed, assessed.when):
        detail = "the wish has been in doubt since voluntariness was assessed; assess it again before the signature"
        raise Rejected("VRD.VOLUNTARINESS", detail)
    if _has_been_detained(case):
        _insist_on_two_interviews(case, ctx)


def _has_been_detained(case: Case) -> bool:
    """Also whoever has been released since: the second interview may be held outside (rule VRD.TWO_INTERVIEWS)."""
    at_first = case.latest(CaseRegistered)
    return case.has(DetentionRecorded) or (at_first is not None and at_first.living_situation in DETAINED)


def _insist_on_two_interviews(case: Case, ctx: Context) -> None:
    """INV-07: in detention the question is asked twice, by two people, a day apart, at least once in private.

    What was said before the person was detained, or before the wish was in doubt, is no answer to it.
    """
    said = [found for found in case.every(VoluntarinessAssessed) if still_stands(case, found, found.when)]
    free = sorted((found for found in said if found.result == "VOLUNTARY"), key=lambda found: found.when)
    apart = LIBYA.after(free[0].when, ctx.policy.in_force.two_interviews_apart)
    second = [found for found in free if found.when >= apart and found.assessor != free[0].assessor]
    if not second or not any(found.in_private for found in free):
        raise Rejected(
            "VRD.TWO_INTERVIEWS",
            "whoever is or was in detention is asked a second time, by another person, "
            f"not before {apart:%d %B %Y %H:%M UTC}, and one of the two times in private",
        )


def _consent_to_return(case: Case, ctx: Context) -> Event:
    declared = case.latest(VoluntaryReturnDeclared)
    signed_at = declared.signed_at if declared else None
    return grant(ClearanceKind.CONSENT_RETURN, ctx, since=signed_at, evidence="VRD")


def determine_eligibility(case: Case, order: DetermineEligibility, ctx: Context) -> Iterator[Event]:
    """Whoever had been found eligible, and is not any more, is screened again before anything else."""
    if order.decision in ELIGIBLE:
        missing = [need.code for need in _needed_for_eligibility(case, ctx)]
        if missing:
            raise Rejected("ELIGIBILITY.NOT_READY", f"still missing: {', '.join(missing)}", failures=tuple(missing))
    before = case.phase
    yield EligibilityDetermined(decision=order.decision, reasons=order.reasons, funding_profile=order.funding_profile)
    if order.decision in HELD_AFTER and before in (Phase.PRE_DEPARTURE, Phase.DEPARTURE):
        yield hold(HELD_AFTER[order.decision], ctx)


def complete_screening(case: Case, _order: CompleteScreening, ctx: Context) -> Iterator[Event]:
    """Nothing of an earlier time counts: what was withdrawn, or said before the case was reopened, is asked again."""
    if not case.is_open(Stage.SCREENING):
        raise Rejected("SCREENING.NOT_OPEN", "screening is completed; a new wish to return is a new declaration")
    decided = _since_opening(case, EligibilityDetermined)
    if decided is None or decided.decision not in ELIGIBLE:
        found = decided.decision if decided else "not determined"
        raise Rejected(
            "SCREENING.NOT_ELIGIBLE", f"eligibility is {found}; only an eligible person's screening completes"
        )
    missing = [need.code for need in _needed_for_eligibility(case, ctx)]
    if missing:
        raise Rejected("SCREENING.NOT_READY", f"still missing: {', '.join(missing)}", failures=tuple(missing))
    yield ScreeningCompleted()
    yield _consent_to_return(case, ctx)


def record_detention(case: Case, report: RecordDetention, ctx: Context) -> Iterator[Event]:
    yield DetentionRecorded(situation=report.situation, site=report.site)
    if not case.holds_of(HoldType.DETENTION):
        yield hold(HoldType.DETENTION, ctx)


def record_release(case: Case, _report: RecordRelease, ctx: Context) -> Iterator[Event]:
    yield DetentionReleased()
    yield task("lift the detention hold", "PROTECTION_OFFICER", ctx.policy.pinned.withdrawal_contact, ctx)


# The stage


def _needed_for_eligibility(case: Case, ctx: Context) -> Iterator[Requirement]:
    if not asked_in_private(case) or _recent(case, NonRefoulementScreened, ctx) is None:
        yield Requirement("STAFF.PRIVATE_INTERVIEW", "COUNSELLOR", "SCREENING.PRIVATE_INTERVIEW")
    if _recent(case, VulnerabilityAssessed, ctx) is None:
        yield Requirement("STAFF.VULNERABILITY", "COUNSELLOR", "SCREENING.VULNERABILITY")
    if _recent(case, VoluntarinessAssessed, ctx) is None:
        yield Requirement("STAFF.VOLUNTARINESS", "COUNSELLOR", "SCREENING.VOLUNTARINESS")
    if not _declared(case):
        yield Requirement("PERSON.DECLARATION", "COUNSELLOR", "SCREENING.DECLARATION")


def _recent(case: Case, fact: type[SomeEvent], ctx: Context) -> SomeEvent | None:
    """The newest fact of a kind, if it is not so old that the person is screened again (rule SCREENING.STALE)."""
    oldest = LIBYA.before(ctx.at, ctx.policy.in_force.screening_stale)
    return found if (found := case.latest(fact)) is not None and found.timestamp >= oldest else None


def _declared(case: Case) -> bool:
    """Whether the person's signature stands: given in this screening, and neither withdrawn nor doubted since."""
    declared = _since_opening(case, VoluntaryReturnDeclared)
    return declared is not None and still_stands(case, declared, declared.signed_at)


def _since_opening(case: Case, fact: type[SomeEvent]) -> SomeEvent | None:
    """The newest fact of a kind, if it was recorded after screening began or was taken up again."""
    begun = case.stages[Stage.SCREENING].begun
    return found if (found := case.latest(fact)) is not None and found.originator_version > begun else None


def missing(case: Case, ctx: Context) -> list[Requirement]:
    missing = list(_needed_for_eligibility(case, ctx))
    decided = _since_opening(case, EligibilityDetermined)
    if decided is None or decided.decision not in ELIGIBLE:
        missing.append(Requirement("STAFF.ELIGIBILITY", "COUNSELLOR", "SCREENING.ELIGIBILITY"))
    if _since_opening(case, ScreeningCompleted) is None:
        missing.append(Requirement("STAFF.COMPLETE_SCREENING", "COUNSELLOR", "SCREENING.COMPLETION"))
    return missing


def reopens(case: Case, _ctx: Context) -> str | None:
    decided = case.latest(EligibilityDetermined)
    return None if decided is None or decided.decision in ELIGIBLE else "NOT_ELIGIBLE"


def may_open(case: Case, _ctx: Context) -> str | None:
    return None if case.phase is Phase.INTAKE or case.phase is Phase.PRE_DEPARTURE else "PHASE"


def opening(_case: Case, _ctx: Context) -> Iterator[Event]:
    yield ScreeningStarted()


SCREENING = StageRules(
    stage=Stage.SCREENING,
    title="Screening",
    may_open=may_open,
    opening=opening,
    missing=missing,
    reopens=reopens,
    rules={
        RegisterCase: register_case,
        RecordConsent: record_consent,
        WithdrawConsent: withdraw_consent,
        RecordCounselling: record_counselling,
        RecordNonRefoulementScreen: record_non_refoulement_screen,
        RecordVulnerabilityAssessment: record_vulnerability_assessment,
        AssessVoluntariness: assess_voluntariness,
        SignVoluntaryReturnDeclaration: sign_voluntary_return_declaration,
        DetermineEligibility: determine_eligibility,
        CompleteScreening: complete_screening,
        RecordDetention: record_detention,
        RecordRelease: record_release,
    },
    without_open_stage=frozenset[type[Message]](
        (
            RegisterCase,
            RecordConsent,
            WithdrawConsent,
            RecordCounselling,
            RecordNonRefoulementScreen,
            AssessVoluntariness,
            SignVoluntaryReturnDeclaration,
            RecordDetention,
            RecordRelease,
        )
    ),
)
