"""Payload fields that a partner may send with a response, by kind of referral (rule REFERRAL.OUTCOMES).

All fields are optional, and further fields are kept.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Any, ClassVar, Final, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic_core import PydanticKnownError

from domain.kernel.vocabulary import TravelDocumentKind


def _instant(value: Any) -> datetime:
    """Returns a point in time, or the start of a day; UTC unless the text states an offset."""
    return _parse_time(value, "datetime_parsing")


def _day(value: Any) -> date:
    """Returns a date; for a point in time, the date in its own offset."""
    return _parse_time(value, "date_parsing").date()


def _parse_time(value: Any, error: Literal["date_parsing", "datetime_parsing"]) -> datetime:
    try:
        moment = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        raise PydanticKnownError(error, {"error": "not in the form of ISO 8601"}) from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


EARLIEST_ZONE: Final = timedelta(hours=14)
"""The largest UTC offset of any time zone. A date is in the future if it has not begun at this offset."""


Text = Annotated[str, Field(min_length=1, max_length=500)]

Words = tuple[Text, ...]

Day = Annotated[date, BeforeValidator(_day)]

Instant = Annotated[datetime, BeforeValidator(_instant)]

Amount = Annotated[float, Field(ge=0, le=1_000_000)]

Count = Annotated[int, Field(ge=0, le=100_000)]


class Payload(BaseModel):
    """Base of the payloads. All fields are optional, and further fields are kept."""

    model_config = ConfigDict(frozen=True, extra="allow")

    DONE: ClassVar[tuple[str, ...]] = ()
    """Fields that state when an action took place. They must not be in the future."""

    def later_than(self, latest: datetime) -> tuple[str, ...]:
        """Returns the fields that report an action after ``latest`` (UTC)."""
        return tuple(name for name in self.DONE if _later(getattr(self, name), latest))


def _later(when: date | datetime | None, latest: datetime) -> bool:
    """Returns whether a date or time is after ``latest``. Midnight in UTC counts as a date without a time of day."""
    if isinstance(when, datetime) and when != datetime.combine(when, time(), UTC):
        return when > latest
    day = when.date() if isinstance(when, datetime) else when
    return day is not None and day > (latest + EARLIEST_ZONE).date()


# Protection, children, asylum, community


class Assistance(Payload):
    service_type: Words = ()
    dates: tuple[Day, ...] = ()
    safety_plan_done: bool | None = None
    further_needs: Words = ()
    recommended_hold: bool | None = None


class Refuge(Payload):
    shelter_ref: Text | None = None
    support_plan: Words = ()


class Care(Payload):
    DONE = ("date",)

    date: Day | None = None


class BestInterests(Payload):
    child_views: Text | None = None
    risks: Words = ()
    options_considered: Words = ()
    recommendation: Text | None = None
    assessor: Text | None = None


class Guardian(Payload):
    guardian_ref: Text | None = None
    basis: Text | None = None
    expires_on: Day | None = None


class Traced(Payload):
    relation: Text | None = None
    contact: Text | None = None
    location: Text | None = None
    verification_method: Text | None = None


class FamilyHome(Payload):
    home_conditions: Text | None = None
    caregiver_consent: bool | None = None
    support_needs: Words = ()


class Panel(Payload):
    decision: Text | None = None
    reasons: Words = ()
    review_by: Day | None = None
    panel_roles: Words = ()


class Refugee(Payload):
    progres_id: Text | None = None


class Safety(Payload):
    area: Text | None = None
    threat_actor_class: Text | None = None
    mitigations: Words = ()
    advisory_version: Text | None = None


class Support(Payload):
    """Mental health and psychosocial support; ``level`` is 1 to 4 of the IASC intervention pyramid."""

    level: Annotated[int, Field(ge=1, le=4)] | None = None
    fit_for_decision: bool | None = None
    valid_until: Instant | None = None


class Items(Payload):
    items: Words = ()


class Legal(Payload):
    may_depart: bool | None = None


class Community(Payload):
    phone: Text | None = None


class Release(Payload):
    site: Text | None = None
    date: Day | None = None
    conditions: Words = ()


# Medical, documents, movement


class Pregnancy(BaseModel):
    model_config = ConfigDict(frozen=True, extra="allow")

    pregnant: bool
    edd: Day | None = None
    multiple: bool | None = None


class Examination(Payload):
    DONE = ("examined_at",)

    smc_codes: Words = ()
    mobility_class: Text | None = None
    escort_need: Text | None = None
    oxygen: bool | None = None
    meds_supply_days: Count | None = None
    tb_screen: Literal["NEG", "PRESUMPTIVE", "CONFIRMED_INFECTIOUS", "TREATED"] | None = None
    pregnancy: Pregnancy | None = None
    vaccination: Words = ()
    examined_at: Instant | None = None
    valid_until: Instant | None = None


class Hospitalisation(Payload):
    discharge_date: Day | None = None
    restrictions: Words = ()


class Fitness(Payload):
    DONE = ("issued_at",)

    conditions: Words = ()
    ssr_codes: Words = ()
    issued_at: Instant | None = None
    valid_until: Instant | None = None
    recheck_on: Day | None = None


class AirlineDesk(Payload):
    conditions: Words = ()
    valid_flights: Words = ()


class Evacuation(Payload):
    receiving_hospital: Text | None = None


class Identity(Payload):
    DONE = ("interviewed_on",)

    family_name: Text | None = None
    given_names: Text | None = None
    date_of_birth: Day | None = None
    file_no: Text | None = None
    interviewed_on: Instant | None = None


class Document(Payload):
    DONE = ("issued_on",)

    kind: TravelDocumentKind | None = None
    number: Text | None = None
    issued_on: Day | None = None
    expires_on: Day | None = None
    single_journey: bool | None = None
    persons_covered: Count | None = None


class Permit(Payload):
    permit_number: Text | None = None
    expires_on: Day | None = None
    airport: Annotated[str, Field(pattern="^[A-Z]{3}$", description="IATA")] | None = None
    list_no: Text | None = None
    reason_class: Literal["TRAVEL_BAN", "PENDING_CASE", "UNPAID_FINE", "DATA_MISMATCH", "SECURITY"] | None = None


class Booking(Payload):
    flight_no: Text | None = None
    legs: Words = ()
    seats: Words = ()
    baggage: Text | None = None


class Escort(Payload):
    escort_type: Text | None = None
    visa_ok: bool | None = None


class Transit(Payload):
    meet_point: Text | None = None


# Reception and reintegration


class Reception(Payload):
    DONE = ("met_at",)

    met_at: Instant | None = None
    cash_eur: Amount | None = None
    shelter_nights: Count | None = None
    onward_transport: Text | None = None


class MedicalHandover(Payload):
    DONE = ("handed_over_at",)

    facility: Text | None = None
    meds_given: Words = ()
    handed_over_at: Instant | None = None


class ChildHandover(Payload):
    DONE = ("handed_over_at",)

    id_checked: bool | None = None
    id_document: Text | None = None
    signature: Text | None = None
    handed_over_at: Instant | None = None


class ReintegrationService(Payload):
    DONE = ("delivered_on",)

    hours: Amount | None = None
    units: Amount | None = None
    certificate: Text | None = None
    satisfaction: Annotated[int, Field(ge=1, le=5)] | None = None
    delivered_on: Day | None = None


class ItemDelivery(Payload):
    DONE = ("delivered_on",)

    items: Words = ()
    invoice: Text | None = None
    amount: Amount | None = None
    currency: Annotated[str, Field(pattern="^[A-Z]{3}$", description="CURRENCY")] | None = None
    proof: Text | None = None
    delivered_on: Day | None = None
