"""Example people, partners and cases that read aloud. A case here is driven through the real rules, in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import wraps
from itertools import count
from typing import Any, ParamSpec, Self, cast
from uuid import UUID, uuid5

from domain import streams  # noqa: F401 - declares every event and message
from domain.case.aggregate import Case, Clearance, Hold
from domain.case.referral import Referral
from domain.clearance.travel_gate import Journey, travel_gate
from domain.commands.signal import ReceivePartnerSignal
from domain.decider import decide, decide_lapse, decide_opening, next_wake, progress_of, requirements
from domain.events.case import CaseRegistered
from domain.kernel.context import Context
from domain.kernel.deadline import Deadline
from domain.kernel.directory import Directory, Partner
from domain.kernel.errors import Rejected
from domain.kernel.event import Event
from domain.kernel.message import MESSAGES, Message
from domain.kernel.person import Person
from domain.kernel.policy import NEWEST
from domain.kernel.vocabulary import Checkpoint, ClearanceKind, HoldType, ReferralKind, SignalType, Stage
from workflows.case import stages_to_open

NAMESPACE = UUID("6f6d9a3e-0000-4000-8000-000000000001")

MONDAY = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)

AMINATA = Person(
    family_name="Okafor",
    given_names="Aminata",
    sex="FEMALE",
    date_of_birth=date(1996, 4, 2),
    nationality="NGA",
    phone="+218910000001",
    languages=("ha",),
)


PARTNERS = Directory(
    {
        partner.partner_id: partner
        for partner in (
            Partner(
                "clinic-tripoli",
                frozenset({ReferralKind.MEDICAL_ASSESSMENT, ReferralKind.SPECIALIST_CARE, ReferralKind.FIT_TO_TRAVEL}),
            ),
            Partner("clinic-misrata", frozenset({ReferralKind.MEDICAL_ASSESSMENT})),
            Partner("embassy-nga", frozenset({ReferralKind.CONSULAR_IDENTITY, ReferralKind.TRAVEL_DOCUMENT}), "NGA"),
            Partner("exit-authority", frozenset({ReferralKind.EXIT_PERMIT})),
            Partner("partner-012", frozenset({ReferralKind.PROTECTION_ASSISTANCE, ReferralKind.VOT_ASSISTANCE})),
            Partner("partner-017", frozenset({ReferralKind.UNHCR_ASYLUM, ReferralKind.MHPSS})),
            Partner("embassy-nga-2", frozenset({ReferralKind.CONSULAR_IDENTITY}), "NGA"),
            Partner("embassy-gin", frozenset({ReferralKind.CONSULAR_IDENTITY, ReferralKind.TRAVEL_DOCUMENT}), "GIN"),
            Partner("embassy-mli", frozenset({ReferralKind.CONSULAR_IDENTITY, ReferralKind.TRAVEL_DOCUMENT}), "MLI"),
            Partner("partner-046", frozenset({ReferralKind.SHELTER_DIRECT_ASSISTANCE, ReferralKind.VOT_ASSISTANCE})),
            Partner("partner-047", frozenset({ReferralKind.SHELTER_DIRECT_ASSISTANCE, ReferralKind.VOT_ASSISTANCE})),
            Partner(
                "reception-nga", frozenset({ReferralKind.RECEPTION, ReferralKind.REINTEGRATION_COUNSELLING}), "NGA"
            ),
            Partner("provider-nga", frozenset({ReferralKind.REINTEGRATION_SERVICE}), "NGA"),
        )
    }
)

FLIGHT = {
    "movement_id": str(uuid5(NAMESPACE, "flight")),
    "movement": "MOV-2026-1214-MJI-LOS-01",
    "std": "2026-12-14T09:00:00Z",
    "sta": "2026-12-14T14:00:00Z",
}

CONSENTS = ("SHARE_EMBASSY", "SHARE_AUTHORITY", "SHARE_CLINIC", "SHARE_RECEPTION", "SHARE_REINTEGRATION")


@dataclass
class CaseScenario:
    """A case told step by step: what was said to it, and what it recorded."""

    case: Case = field(default_factory=lambda: Case(uuid5(NAMESPACE, "case"), number="LBY-2026-000001"))
    now: datetime = MONDAY
    directory: Directory = PARTNERS
    claimed_at: datetime | None = None
    """When the senders of what is said from now on claim that it happened."""
    events: list[Event] = field(default_factory=list)
    ids: Any = field(default_factory=count)
    tokens: Any = field(default_factory=count)

    def moment(self, actor: str = "staff:fatima", message_id: UUID | None = None) -> Context:
        return Context(
            at=self.now,
            recorded_at=self.now,
            actor=actor,
            message_id=message_id or uuid5(NAMESPACE, f"message {next(self.ids)}"),
            directory=self.directory,
            token=lambda: f"token-{next(self.tokens):012d}",
            claimed_at=self.claimed_at,
        )

    def send(self, name: str, *, by: str = "staff:fatima", **fields: Any) -> list[Event]:
        """A staff message or a letter by its name. Raises what the rule raises."""
        return self.say(MESSAGES[name].model_validate(fields), by=by)

    def say(self, message: Message, *, by: str = "staff:fatima") -> list[Event]:
        decided = decide(self.case, message, self.moment(by))
        self.events += decided
        return decided

    def having(self, name: str, **fields: Any) -> Self:
        self.send(name, **fields)
        return self.walk()

    def walk(self) -> Self:
        """What the workflow does: order open whatever may be opened."""
        while opening := stages_to_open(progress_of(self.case, self.moment())):
            for stage in opening:
                self.open(stage)
        return self

    def open(self, stage: Stage) -> list[Event]:
        decided = decide_opening(self.case, stage, self.moment("system"))
        self.events += decided
        return decided

    def at(self, moment: datetime | str) -> Self:
        """Time passes; deadlines that fall due on the way are recorded, in their order."""
        until = datetime.fromisoformat(moment) if isinstance(moment, str) else moment
        while (due := next_wake(self.case, self.moment())) and due.due <= until:
            self.now = max(self.now, due.due)
            if due.kind != "wake":
                self.lapse(due)
                if next_wake(self.case, self.moment()) == due:
                    raise AssertionError(f"{due} was recorded and is still to come")
            self.walk()
        self.now = until
        return self.walk()

    def after(self, **span: float) -> Self:
        return self.at(self.now + timedelta(**span))

    def lapse(self, due: Deadline) -> list[Event]:
        decided = decide_lapse(self.case, due, self.moment("system"))
        self.events += decided
        return decided

    def referral(self, kind: str, which: int = -1) -> Referral:
        return self.asked(kind)[which]

    def partner_says(
        self,
        kind: str,
        signal: str,
        outcome: str | None = None,
        *,
        which: int = -1,
        signal_id: UUID | None = None,
        by: str | None = None,
        **more: Any,
    ) -> list[Event]:
        """A partner's signal about the newest referral of a kind; ``by`` whoever put it in for the partner."""
        referral = self.referral(kind, which)
        said = ReceivePartnerSignal(
            signal_id=signal_id or uuid5(NAMESPACE, f"signal {next(self.ids)}"),
            referral_token=more.pop("token", referral.token),
            partner_id=more.pop("partner_id", referral.partner_id),
            signal_type=SignalType(signal),
            outcome_code=outcome,
            occurred_at=more.pop("occurred_at", self.now),
            **more,
        )
        decided = self.say(said, by=by or f"partner:{said.partner_id}")
        self.walk()
        return decided

    def heard(self, kind: str, signal: str, outcome: str | None = None, **more: Any) -> Self:
        self.partner_says(kind, signal, outcome, **more)
        return self

    def refused(self, name: str, **fields: Any) -> Rejected:
        """Why a message is refused. The case is then as it was."""
        before = repr(self.case)
        try:
            self.send(name, **fields)
        except Rejected as refusal:
            if repr(self.case) != before:
                raise AssertionError(f"{refusal.rule} refused, and yet something changed") from None
            return refusal
        raise AssertionError(f"{name} was not refused")

    def again(self) -> CaseScenario:
        """The same case once more, folded from its events, to go another way from here."""
        far = 1000 * (len(self.events) + 1)
        return CaseScenario(
            folded(self.events), self.now, self.directory, self.claimed_at, list(self.events), count(far), count(far)
        )

    def held(self, hold_type: str, which: int = -1) -> Hold:
        return self.case.holds_of(HoldType(hold_type))[which]

    def asked(self, kind: str) -> list[Referral]:
        """The referrals of a kind, in the order they were made."""
        return [found for found in self.case.referrals.values() if found.asked_kind == kind]

    def has_hold(self, hold_type: str) -> bool:
        return bool(self.case.holds_of(HoldType(hold_type)))

    def status(self, stage: str) -> str:
        return self.case.stages[Stage(stage)].status.value

    def clearance(self, kind: str) -> Clearance | None:
        return self.case.clearances.get(ClearanceKind(kind))

    def waits_for(self) -> list[str]:
        """The codes of what the case waits for now."""
        return [lack.code for lack in requirements(self.case, self.moment())]

    def failures(self, checkpoint: str = "BOARD") -> tuple[str, ...]:
        """What the travel gate says for the example flight."""
        journey = Journey(datetime.fromisoformat(FLIGHT["std"]), datetime.fromisoformat(FLIGHT["sta"]))
        return travel_gate(self.case, Checkpoint(checkpoint), journey, NEWEST.in_force, self.directory.advisories)

    @property
    def names(self) -> list[str]:
        return [event.name for event in self.events]

    def named(self, name: str) -> list[Event]:
        return [event for event in self.events if event.name == name]


def folded(events: Iterable[Event]) -> Case:
    """A case, from its events alone."""
    case: Any = Case(uuid5(NAMESPACE, "case"), number="LBY-2026-000001")
    for event in events:
        event.mutate(case)
    return cast("Case", case)


Way = ParamSpec("Way")


def remembered(make: Callable[Way, CaseScenario]) -> Callable[Way, CaseScenario]:
    """Told once; whoever asks gets a copy of their own. A case with particulars of its own is always told anew."""
    told: list[CaseScenario] = []

    @wraps(make)
    def once_more(*args: Way.args, **particulars: Way.kwargs) -> CaseScenario:
        if args or particulars:
            return make(*args, **particulars)
        if not told:
            told.append(make(*args, **particulars))
        return told[0].again()

    return once_more


def a_case() -> CaseScenario:
    """Nothing has been said yet."""
    return CaseScenario()


@remembered
def a_registered_case(person: Person = AMINATA, **more: Any) -> CaseScenario:
    fields = {
        "person": person,
        "country_of_return": "NGA",
        "channel": "WALK_IN",
        "office": "Tripoli",
        "living_situation": "URBAN_RENTED",
        "consent_to_data_processing": True,
    }
    return a_case().having("RegisterCase", **(fields | more))


@remembered
def a_screened_case(risk: str = "LOW", **more: Any) -> CaseScenario:
    """Eligible, consents given, screening completed: protection, medical and documents are open."""
    told = a_registered_case(**more).having("AssignCaseWorker", user="fatima")
    for purpose in CONSENTS:
        told.having("RecordConsent", purpose=purpose, form_version="C-1", language="en")
    told.having("RecordCounselling", topics=("ALTERNATIVES",), language="en")
    told.having("RecordNonRefoulementScreen", outcome="NO_CLAIM")
    told.having("RecordVulnerabilityAssessment", overall_risk=risk)
    told.having("AssessVoluntariness", understood=True, free_of_pressure=True, in_private=True)
    country = told.case.country_of_return
    told.having("SignVoluntaryReturnDeclaration", country=country, form_version="VRD-1", language="en")
    told.having("DetermineEligibility", decision="ELIGIBLE")
    return told.having("CompleteScreening")


@remembered
def a_cleared_case() -> CaseScenario:
    """Safe to return, examined, documented, funded: only the flight is missing."""
    told = a_screened_case().having("AssessSafetyOfReturn", area="NG-LA", result="SAFE", advisory_version="2026-3")
    told.heard("MEDICAL_ASSESSMENT", "COMPLETED", "NO_SIGNIFICANT_CONDITION")
    told.heard("CONSULAR_IDENTITY", "COMPLETED", "NATIONALITY_CONFIRMED")
    told.heard(
        "TRAVEL_DOCUMENT",
        "COMPLETED",
        "ISSUED",
        payload={"kind": "LAISSEZ_PASSER", "number": "LP-100", "expires_on": "2027-01-22"},
    )
    told.heard(
        "EXIT_PERMIT",
        "COMPLETED",
        "GRANTED",
        payload={"permit_number": "X-7", "airport": "MJI", "expires_on": "2027-01-05"},
    )
    return told.having("AllocateFunding", project="VHR-1", until="2027-12-31T00:00:00Z")


@remembered
def a_seated_case() -> CaseScenario:
    """Nominated, seated, expected by the reception partner."""
    told = a_cleared_case().having("NominatePassenger", **FLIGHT)
    told.having("TakeSeat", **FLIGHT, destination="LOS")
    return told.at("2026-12-01T08:00:00Z").heard("RECEPTION", "ACCEPTED", "CONFIRMED")


@remembered
def a_frozen_case() -> CaseScenario:
    """On the frozen manifest, found fit, and still wanting to go."""
    told = a_seated_case().at("2026-12-12T09:00:00Z")
    told.having("ManifestIsFrozen", movement_id=FLIGHT["movement_id"], movement=FLIGHT["movement"])
    told.after(hours=5).having("IssueFitToTravel", result="FIT")
    told.at("2026-12-14T04:30:00Z").having("ReaffirmVoluntaryReturn")
    return told.having("RecordDepartureInterview", in_private=True, voluntary_reaffirmed=True)


@remembered
def a_boarded_case() -> CaseScenario:
    return a_frozen_case().having("CheckInPassenger").having("BoardPassenger")


@remembered
def a_departed_case() -> CaseScenario:
    told = a_boarded_case().at(FLIGHT["std"])
    return told.having("FlightHasDeparted", atd=FLIGHT["std"], on_board=True, **_flight())


@remembered
def an_arrived_case() -> CaseScenario:
    told = a_departed_case().at(FLIGHT["sta"])
    told.having("FlightHasArrived", ata=FLIGHT["sta"], destination="LOS", **_flight())
    return told.having("ConfirmArrival", by="staff:ngozi")


@remembered
def a_received_case() -> CaseScenario:
    told = an_arrived_case().having("RecordReception", met=True, met_by="Ngozi", by="staff:ngozi")
    told.having("ProvideImmediateAssistance", items=("meal", "NFI kit"), cash_eur=65)
    told.having("ProvideOnwardTransport", mode="BUS")
    told.heard("RECEPTION", "COMPLETED", "RECEIVED")
    return told.having("CompleteReception", outcome="RECEIVED")


@remembered
def a_reintegrated_case() -> CaseScenario:
    told = a_received_case().after(days=5).having("EnrolReintegration", office="Lagos")
    told.heard("REINTEGRATION_COUNSELLING", "COMPLETED", "COUNSELLED")
    told.having("AssessReintegrationNeeds", needs=("ECONOMIC",))
    item = {"item_id": "shop", "type": "MICROBUSINESS", "description": "small shop", "amount_eur": 900}
    told.having("DraftPlan", items=(item,), signed_by_returnee=True)
    told.having("ApprovePlan", by="staff:amaka")
    told.after(days=60).heard("REINTEGRATION_SERVICE", "COMPLETED", "DELIVERED")
    told.after(days=120).having("RecordMonitoring", month=6, finding="shop open")
    told.after(days=180).having("RecordRss", wave="ENDLINE", rss_version="1", composite=0.7)
    return told.having("CompleteReintegration")


@remembered
def a_closed_case() -> CaseScenario:
    return a_reintegrated_case().having("CloseCase", reason="COMPLETED_REINTEGRATION", approved_by="amaka")


def _flight() -> dict[str, str]:
    return {"movement_id": FLIGHT["movement_id"], "movement": FLIGHT["movement"]}


def registered(events: list[Event]) -> CaseRegistered:
    return next(event for event in events if isinstance(event, CaseRegistered))
