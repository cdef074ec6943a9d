"""Screening: the identity and urgent needs of the person, and whether the wish to return is voluntary.

Who      a counsellor with an interpreter; a protection officer on call
Shows    consent, counselling, a private interview on fear of return, vulnerability, voluntariness, a signed declaration
Done     the person is eligible, the declaration is signed, and the counsellor has completed screening
Returned the declaration is not voluntary or not understood, or the person is undecided
Halts    fear of return, or doubt about capacity or pressure: a protection officer decides
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Final

from domain.case.aggregate import Case
from domain.casework.consent import record_consent, withdraw_consent
from domain.casework.detention import record_detention, record_release
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
    conclusion,
)
from domain.events.case import CaseRegistered
from domain.events.screening import (
    ELIGIBLE,
    ConsentGiven,
    CounsellingSessionHeld,
    DetentionRecorded,
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
from domain.kernel.labels import requirement, words
from domain.kernel.message import Message
from domain.kernel.sentences import date_and_time
from domain.kernel.vocabulary import DETAINED, ClearanceKind, HoldType, Phase, Purpose, RiskLevel, Stage, StageStatus
from domain.kernel.working_time import LIBYA
from domain.procedure import NEWEST as NEWEST_PROCEDURE
from domain.stages.stage import Requirement, StageRules

HELD_AFTER: Final[Mapping[str, HoldType]] = {
    "UNDECIDED": HoldType.CONSENT,
    "DECLINED": HoldType.CONSENT,
    "NOT_SAFE_TO_RETURN": HoldType.SAFETY,
}
"""Eligibility decisions that place a hold on a case that was eligible before."""


# Handlers


def register_case(case: Case, command: RegisterCase, ctx: Context) -> Iterator[Event]:
    if case.phase is not None:
        raise Rejected("CASE.EXISTS", f"the case is already registered as {case.number}; use the existing case")
    if not command.consent_to_data_processing and not command.emergency_override:
        raise Rejected(
            "CONSENT.DATA_PROCESSING",
            "consent to data processing is missing; record it, or give the reason for an emergency override",
            field="consent_to_data_processing",
        )
    if command.person.date_of_birth is not None and command.person.date_of_birth > ctx.at.date():
        raise Rejected(
            "PERSON.NOT_BORN_YET", "the date of birth is in the future; correct it", field="person.date_of_birth"
        )
    yield CaseRegistered(
        number=case.number,
        edition=NEWEST_PROCEDURE,
        policy_edition=ctx.policy.edition,
        channel=command.channel,
        office=command.office,
        living_situation=command.living_situation,
        country_of_return=command.country_of_return,
        registered_on=command.registered_on or ctx.at,
        source=command.source,
        person=command.person,
    )
    if command.consent_to_data_processing:
        yield ConsentGiven(
            purpose=Purpose.DATA_PROCESSING,
            form_version=command.form_version,
            language=command.language,
            method="SIGNATURE",
            given_by="SELF",
        )
    if command.living_situation in DETAINED:
        yield hold(HoldType.DETENTION, ctx)
    if command.person.is_child(ctx.at.date()):
        yield hold(HoldType.CHILD, ctx)


def record_counselling(_case: Case, command: RecordCounselling, _ctx: Context) -> Iterator[Event]:
    yield CounsellingSessionHeld(topics=command.topics, language=command.language)


def record_non_refoulement_screen(case: Case, command: RecordNonRefoulementScreen, ctx: Context) -> Iterator[Event]:
    """Any expression of fear counts as a claim. Publicly it is recorded like every other protection concern."""
    fear = command.outcome != "NO_CLAIM"
    yield NonRefoulementScreened(outcome=command.outcome, account=command.account)
    yield from record_private_interview(case, ctx, fear=fear, concern=command.concern)


def record_vulnerability_assessment(
    case: Case, command: RecordVulnerabilityAssessment, ctx: Context
) -> Iterator[Event]:
    """A finding made after protection has opened or been cleared is recorded as a protection concern."""
    concern = _protection_has_begun(case, ctx) and _is_new_finding(case.latest(VulnerabilityAssessed), command)
    yield VulnerabilityAssessed(
        risk_level=command.overall_risk, nothing_indicated=not command.factors, factors=command.factors
    )
    if concern:
        content = {"risk_level": command.overall_risk, "factors": list(command.factors)}
        yield from record_protection_concern(case, ctx, true_name=CONCERN, content=content)


def _protection_has_begun(case: Case, ctx: Context) -> bool:
    begun = case.stages[Stage.PROTECTION].status is not StageStatus.NOT_STARTED
    return begun or case.has_clearance(ClearanceKind.PROTECTION_CLEARANCE, ctx.at)


def _is_new_finding(before: VulnerabilityAssessed | None, command: RecordVulnerabilityAssessment) -> bool:
    """Returns whether the assessment adds to the previous one: high risk, a higher risk, or a new factor."""
    if before is None or command.overall_risk is RiskLevel.HIGH:
        return True
    levels = list(RiskLevel)
    worse = levels.index(command.overall_risk) < levels.index(before.risk_level)
    return worse or not set(command.factors) <= set(before.factors or ())


def assess_voluntariness(case: Case, command: AssessVoluntariness, ctx: Context) -> Iterator[Event]:
    """Records a named officer's judgement. In case of doubt, no declaration can be signed until a new assessment.

    An earlier declaration is no longer valid, and a person who has boarded is offloaded.
    """
    result = conclusion(command)
    yield VoluntarinessAssessed(
        result=result,
        in_private=command.in_private,
        assessor=ctx.actor,
        held_at=ctx.said_at,
        coercion_indicators=command.coercion_indicators,
    )
    if result != "VOLUNTARY" and case.has(VoluntaryReturnDeclared):
        yield from _declaration_in_doubt(case, ctx)


def _declaration_in_doubt(case: Case, ctx: Context) -> Iterator[Event]:
    """Revokes clearances, holds the journey and creates a task when a signed declaration may not be voluntary."""
    yield from revocations(case, Trigger.NOT_VOLUNTARY)
    if not case.departed and not case.holds_of(HoldType.CONSENT):
        yield hold(HoldType.CONSENT, ctx)
    yield task("talk with the person about the wish to return", "CASE_SUPERVISOR", soon(case, ctx), ctx)


def sign_voluntary_return_declaration(
    case: Case, command: SignVoluntaryReturnDeclaration, ctx: Context
) -> Iterator[Event]:
    _require_voluntariness(case, ctx)
    signed_at = command.signed_at or ctx.said_at
    _require_signature_after_doubt(case, signed_at)
    yield VoluntaryReturnDeclared(
        country=command.country,
        form_version=command.form_version,
        language=command.language,
        signed_at=signed_at,
        signer=command.signer,
        place_anew=_names_another_place(case, command),
        locality=command.locality,
        witness=command.witness,
    )
    if case.stages[Stage.SCREENING].status is StageStatus.COMPLETED:
        yield _consent_to_return(case, ctx)


def _names_another_place(case: Case, command: SignVoluntaryReturnDeclaration) -> bool:
    """Returns whether the declaration names another place than the previous one.

    The first named place counts as another one if safety of return was assessed before it was named. Compared here,
    where both places can be read: only the result is public, the places are sealed.
    """
    if command.locality is None:
        return False
    named = [declared.locality for declared in case.every(VoluntaryReturnDeclared) if declared.locality]
    if not named:
        return ClearanceKind.SAFETY_OF_RETURN in case.clearances
    return command.locality.strip().casefold() != named[-1].strip().casefold()


def _require_signature_after_doubt(case: Case, signed_at: datetime) -> None:
    """Rejects a declaration that was signed before the latest doubt about voluntariness."""
    doubt = latest_doubt(case)
    if doubt is not None and signed_at < doubt.timestamp:
        raise Rejected(
            "VRD.SIGNED_BEFORE",
            f"the declaration was signed on {date_and_time(signed_at)}, but voluntariness has been in doubt since "
            f"{date_and_time(doubt.timestamp)}; the person must sign again",
            field="signed_at",
        )


def _require_voluntariness(case: Case, ctx: Context) -> None:
    assessed = case.latest(VoluntarinessAssessed)
    if assessed is None or assessed.result != "VOLUNTARY":
        result = f"assessed as '{words(assessed.result)}'" if assessed else "not assessed"
        raise Rejected("VRD.VOLUNTARINESS", f"voluntariness is {result}; assess it before the declaration is signed")
    if not still_stands(case, assessed, assessed.when):
        detail = "voluntariness has been in doubt since it was assessed; assess it again before the signature"
        raise Rejected("VRD.VOLUNTARINESS", detail)
    if _has_been_detained(case):
        _require_two_interviews(case, ctx)


def _has_been_detained(case: Case) -> bool:
    """Returns whether the person is or was in detention (rule VRD.TWO_INTERVIEWS).

    A person who was released counts as well: the second interview may be held after release.
    """
    at_first = case.latest(CaseRegistered)
    return case.has(DetentionRecorded) or (at_first is not None and at_first.living_situation in DETAINED)


def _require_two_interviews(case: Case, ctx: Context) -> None:
    """INV-07: in detention, two people interview the person, a day apart, and at least once in private.

    Interviews before the detention, or before the latest doubt, do not count.
    """
    valid = [found for found in case.every(VoluntarinessAssessed) if still_stands(case, found, found.when)]
    voluntary = sorted((found for found in valid if found.result == "VOLUNTARY"), key=lambda found: found.when)
    earliest = LIBYA.after(voluntary[0].when, ctx.policy.in_force.two_interviews_apart)
    second = [found for found in voluntary if found.when >= earliest and found.assessor != voluntary[0].assessor]
    if not second or not any(found.in_private for found in voluntary):
        raise Rejected(
            "VRD.TWO_INTERVIEWS",
            "a person who is or was in detention needs a second interview by another interviewer, "
            f"not before {date_and_time(earliest)}; one of the two interviews must be in private",
        )


def _consent_to_return(case: Case, ctx: Context) -> Event:
    declared = case.latest(VoluntaryReturnDeclared)
    signed_at = declared.signed_at if declared else None
    return grant(ClearanceKind.CONSENT_RETURN, ctx, since=signed_at, evidence="VRD")


def determine_eligibility(case: Case, command: DetermineEligibility, ctx: Context) -> Iterator[Event]:
    """A person who was eligible and no longer is must be screened again before the procedure continues."""
    if command.decision in ELIGIBLE:
        _require_complete("ELIGIBILITY.NOT_READY", case, ctx)
    before = case.phase
    yield EligibilityDetermined(
        decision=command.decision, reasons=command.reasons, funding_profile=command.funding_profile
    )
    if command.decision in HELD_AFTER and before in (Phase.PRE_DEPARTURE, Phase.DEPARTURE):
        yield hold(HELD_AFTER[command.decision], ctx)


def complete_screening(case: Case, _command: CompleteScreening, ctx: Context) -> Iterator[Event]:
    """Statements that were withdrawn, or made before the case was reopened, do not count."""
    if not case.is_open(Stage.SCREENING):
        raise Rejected(
            "SCREENING.NOT_OPEN",
            "screening is already completed; for a renewed wish to return, record a new declaration",
        )
    decided = _since_opening(case, EligibilityDetermined)
    if decided is None or decided.decision not in ELIGIBLE:
        found = f"'{words(decided.decision)}'" if decided else "not determined"
        raise Rejected(
            "SCREENING.NOT_ELIGIBLE", f"eligibility is {found}; screening is completed only for an eligible person"
        )
    _require_complete("SCREENING.NOT_READY", case, ctx)
    yield ScreeningCompleted()
    yield _consent_to_return(case, ctx)


def _require_complete(rule: str, case: Case, ctx: Context) -> None:
    missing = [needed.code for needed in _needed_for_eligibility(case, ctx)]
    if missing:
        detail = f"still missing: {', '.join(map(requirement, missing))}; record these first"
        raise Rejected(rule, detail, failures=tuple(missing))


# Requirements


def _needed_for_eligibility(case: Case, ctx: Context) -> Iterator[Requirement]:
    if not asked_in_private(case) or _recent(case, NonRefoulementScreened, ctx) is None:
        yield Requirement("STAFF.PRIVATE_INTERVIEW", "COUNSELLOR", "SCREENING.PRIVATE_INTERVIEW")
    if _recent(case, VulnerabilityAssessed, ctx) is None:
        yield Requirement("STAFF.VULNERABILITY", "COUNSELLOR", "SCREENING.VULNERABILITY")
    if _recent(case, VoluntarinessAssessed, ctx) is None:
        yield Requirement("STAFF.VOLUNTARINESS", "COUNSELLOR", "SCREENING.VOLUNTARINESS")
    if not _has_valid_declaration(case):
        yield Requirement("PERSON.DECLARATION", "COUNSELLOR", "SCREENING.DECLARATION")


def _recent(case: Case, kind: type[SomeEvent], ctx: Context) -> SomeEvent | None:
    """Returns the latest event of a kind, unless it is so old that screening is repeated (rule SCREENING.STALE)."""
    oldest = LIBYA.before(ctx.at, ctx.policy.in_force.screening_stale)
    return found if (found := case.latest(kind)) is not None and found.timestamp >= oldest else None


def _has_valid_declaration(case: Case) -> bool:
    """Returns whether a declaration was signed in this screening, and neither withdrawn nor put in doubt since."""
    declared = _since_opening(case, VoluntaryReturnDeclared)
    return declared is not None and still_stands(case, declared, declared.signed_at)


def _since_opening(case: Case, kind: type[SomeEvent]) -> SomeEvent | None:
    """Returns the latest event of a kind, if it was recorded since screening was last opened or reopened."""
    begun = case.stages[Stage.SCREENING].begun
    return found if (found := case.latest(kind)) is not None and found.originator_version > begun else None


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
