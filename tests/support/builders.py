"""Example people, partners and cases. Each case is driven through the real rules, in memory."""

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
    """A case driven step by step: the commands sent to it, and the events it recorded."""

    case: Case = field(default_factory=lambda: Case(uuid5(NAMESPACE, "case"), number="LBY-2026-000001"))
    now: datetime = MONDAY
    directory: Directory = PARTNERS
    claimed_at: datetime | None = None
    """Time (UTC) that the senders of the following messages claim."""
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
        """Sends a command by its name and returns the recorded events. Raises what the handler raises."""
        return self.say(MESSAGES[name].model_validate(fields), by=by)

    def say(self, message: Message, *, by: str = "staff:fatima") -> list[Event]:
        decided = decide(self.case, message, self.moment(by))
        self.events += decided
        return decided

    def having(self, name: str, **fields: Any) -> Self:
        self.send(name, **fields)
        return self.walk()

    def walk(self) -> Self:
        """Opens every stage that may open, as the workflow does."""
        while opening := stages_to_open(progress_of(self.case, self.moment())):
            for stage in opening:
                self.open(stage)
        return self

    def open(self, stage: Stage) -> list[Event]:
        decided = decide_opening(self.case, stage, self.moment("system"))
        self.events += decided
        return decided

    def at(self, moment: datetime | str) -> Self:
        """Advances the clock and records the deadlines that pass on the way, in order."""
        until = datetime.fromisoformat(moment) if isinstance(moment, str) else moment
        while (due := next_wake(self.case, self.moment())) and due.due <= until:
            self.now = max(self.now, due.due)
            if due.kind != "wake":
                self.lapse(due)
                if next_wake(self.case, self.moment()) == due:
                    raise AssertionError(f"{due} was recorded and is still pending")
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
        """Sends a partner's signal about the latest referral of a kind; ``by`` names who recorded it for the partner."""
        referral = self.referral(kind, which)
        message = ReceivePartnerSignal(
            signal_id=signal_id or uuid5(NAMESPACE, f"signal {next(self.ids)}"),
            referral_token=more.pop("token", referral.token),
            partner_id=more.pop("partner_id", referral.partner_id),
            signal_type=SignalType(signal),
            outcome_code=outcome,
            occurred_at=more.pop("occurred_at", self.now),
            **more,
        )
        decided = self.say(message, by=by or f"partner:{message.partner_id}")
        self.walk()
        return decided

    def having_signal(self, kind: str, signal: str, outcome: str | None = None, **more: Any) -> Self:
        self.partner_says(kind, signal, outcome, **more)
        return self

    def refused(self, name: str, **fields: Any) -> Rejected:
        """Returns the rejection of a command, after checking that the case did not change."""
        before = repr(self.case)
        try:
            self.send(name, **fields)
        except Rejected as refusal:
            if repr(self.case) != before:
                raise AssertionError(f"{refusal.rule} rejected the command, but the case changed") from None
            return refusal
        raise AssertionError(f"{name} was not rejected")

    def again(self) -> CaseScenario:
        """Returns a copy of the case, rebuilt from its events, that can continue independently."""
        far = 1000 * (len(self.events) + 1)
        return CaseScenario(
            folded(self.events), self.now, self.directory, self.claimed_at, list(self.events), count(far), count(far)
        )

    def held(self, hold_type: str, which: int = -1) -> Hold:
        return self.case.holds_of(HoldType(hold_type))[which]

    def asked(self, kind: str) -> list[Referral]:
        """Returns the referrals of a kind, in order of creation."""
        return [found for found in self.case.referrals.values() if found.asked_kind == kind]

    def has_hold(self, hold_type: str) -> bool:
        return bool(self.case.holds_of(HoldType(hold_type)))

    def status(self, stage: str) -> str:
        return self.case.stages[Stage(stage)].status.value

    def clearance(self, kind: str) -> Clearance | None:
        return self.case.clearances.get(ClearanceKind(kind))

    def waits_for(self) -> list[str]:
        """Returns the codes of the missing requirements."""
        return [requirement.code for requirement in requirements(self.case, self.moment())]

    def failures(self, checkpoint: str = "BOARD") -> tuple[str, ...]:
        """Returns the failures of the travel gate for the example flight."""
        journey = Journey(datetime.fromisoformat(FLIGHT["std"]), datetime.fromisoformat(FLIGHT["sta"]))
        return travel_gate(self.case, Checkpoint(checkpoint), journey, NEWEST.in_force, self.directory.advisories)

    @property
    def names(self) -> list[str]:
        return [event.name for event in self.events]

    def named(self, name: str) -> list[Event]:
        return [event for event in self.events if event.name == name]


def folded(events: Iterable[Event]) -> Case:
    """Rebuilds a case from its events alone."""
    case: Any = Case(uuid5(NAMESPACE, "case"), number="LBY-2026-000001")
    for event in events:
        event.mutate(case)
    return cast("Case", case)


Params = ParamSpec("Params")


def remembered(make: Callable[Params, CaseScenario]) -> Callable[Params, CaseScenario]:
    """Builds a scenario once and returns a copy on each call; a call with arguments is always built again."""
    built: list[CaseScenario] = []

    @wraps(make)
    def copied(*args: Params.args, **kwargs: Params.kwargs) -> CaseScenario:
        if args or kwargs:
            return make(*args, **kwargs)
        if not built:
            built.append(make(*args, **kwargs))
        return built[0].again()

    return copied


def a_case() -> CaseScenario:
    """Returns a case without events."""
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
    """Consents given and screening completed as eligible: protection, medical and documents are open."""
    scenario = a_registered_case(**more).having("AssignCaseWorker", user="fatima")
    for purpose in CONSENTS:
        scenario.having("RecordConsent", purpose=purpose, form_version="C-1", language="en")
    scenario.having("RecordCounselling", topics=("ALTERNATIVES",), language="en")
    scenario.having("RecordNonRefoulementScreen", outcome="NO_CLAIM")
    scenario.having("RecordVulnerabilityAssessment", overall_risk=risk)
    scenario.having("AssessVoluntariness", understood=True, free_of_pressure=True, in_private=True)
    country = scenario.case.country_of_return
    scenario.having("SignVoluntaryReturnDeclaration", country=country, form_version="VRD-1", language="en")
    scenario.having("DetermineEligibility", decision="ELIGIBLE")
    return scenario.having("CompleteScreening")


@remembered
def a_cleared_case() -> CaseScenario:
    """All clearances are in force and funding is allocated; only the flight is missing."""
    scenario = a_screened_case().having("AssessSafetyOfReturn", area="NG-LA", result="SAFE", advisory_version="2026-3")
    scenario.having_signal("MEDICAL_ASSESSMENT", "COMPLETED", "NO_SIGNIFICANT_CONDITION")
    scenario.having_signal("CONSULAR_IDENTITY", "COMPLETED", "NATIONALITY_CONFIRMED")
    scenario.having_signal(
        "TRAVEL_DOCUMENT",
        "COMPLETED",
        "ISSUED",
        payload={"kind": "LAISSEZ_PASSER", "number": "LP-100", "expires_on": "2027-01-22"},
    )
    scenario.having_signal(
        "EXIT_PERMIT",
        "COMPLETED",
        "GRANTED",
        payload={"permit_number": "X-7", "airport": "MJI", "expires_on": "2027-01-05"},
    )
    return scenario.having("AllocateFunding", project="VHR-1", until="2027-12-31T00:00:00Z")


@remembered
def a_seated_case() -> CaseScenario:
    """The person is nominated and has a seat, and the reception partner has confirmed."""
    scenario = a_cleared_case().having("NominatePassenger", **FLIGHT)
    scenario.having("TakeSeat", **FLIGHT, destination="LOS")
    return scenario.at("2026-12-01T08:00:00Z").having_signal("RECEPTION", "ACCEPTED", "CONFIRMED")


@remembered
def a_frozen_case() -> CaseScenario:
    """The manifest is frozen, the person is fit to travel and has reaffirmed voluntary return."""
    scenario = a_seated_case().at("2026-12-12T09:00:00Z")
    scenario.having("ManifestIsFrozen", movement_id=FLIGHT["movement_id"], movement=FLIGHT["movement"])
    scenario.after(hours=5).having("IssueFitToTravel", result="FIT")
    scenario.at("2026-12-14T04:30:00Z").having("ReaffirmVoluntaryReturn")
    return scenario.having("RecordDepartureInterview", in_private=True, voluntary_reaffirmed=True)


@remembered
def a_boarded_case() -> CaseScenario:
    return a_frozen_case().having("CheckInPassenger").having("BoardPassenger")


@remembered
def a_departed_case() -> CaseScenario:
    scenario = a_boarded_case().at(FLIGHT["std"])
    return scenario.having("FlightHasDeparted", atd=FLIGHT["std"], on_board=True, **_flight())


@remembered
def an_arrived_case() -> CaseScenario:
    scenario = a_departed_case().at(FLIGHT["sta"])
    scenario.having("FlightHasArrived", ata=FLIGHT["sta"], destination="LOS", **_flight())
    return scenario.having("ConfirmArrival", by="staff:ngozi")


@remembered
def a_received_case() -> CaseScenario:
    scenario = an_arrived_case().having("RecordReception", met=True, met_by="Ngozi", by="staff:ngozi")
    scenario.having("ProvideImmediateAssistance", items=("meal", "NFI kit"), cash_eur=65)
    scenario.having("ProvideOnwardTransport", mode="BUS")
    scenario.having_signal("RECEPTION", "COMPLETED", "RECEIVED")
    return scenario.having("CompleteReception", outcome="RECEIVED")


@remembered
def a_reintegrated_case() -> CaseScenario:
    scenario = a_received_case().after(days=5).having("EnrolReintegration", office="Lagos")
    scenario.having_signal("REINTEGRATION_COUNSELLING", "COMPLETED", "COUNSELLED")
    scenario.having("AssessReintegrationNeeds", needs=("ECONOMIC",))
    item = {"item_id": "shop", "type": "MICROBUSINESS", "description": "small shop", "amount_eur": 900}
    scenario.having("DraftPlan", items=(item,), signed_by_returnee=True)
    scenario.having("ApprovePlan", by="staff:amaka")
    scenario.after(days=60).having_signal("REINTEGRATION_SERVICE", "COMPLETED", "DELIVERED")
    scenario.after(days=120).having("RecordMonitoring", month=6, finding="shop open")
    scenario.after(days=180).having("RecordRss", wave="ENDLINE", rss_version="1", composite=0.7)
    return scenario.having("CompleteReintegration")


@remembered
def a_closed_case() -> CaseScenario:
    return a_reintegrated_case().having("CloseCase", reason="COMPLETED_REINTEGRATION", approved_by="amaka")


def _flight() -> dict[str, str]:
    return {"movement_id": FLIGHT["movement_id"], "movement": FLIGHT["movement"]}


def registered(events: list[Event]) -> CaseRegistered:
    return next(event for event in events if isinstance(event, CaseRegistered))
