"""Simulated partners: each decides only from what was delivered to it which signals to send, and when.

The signals depend on the seed, the partner's behaviour profile and the person of the referral, never on the token or
the order of arrival: the same seed gives the same signals in every run.
"""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import NAMESPACE_URL, uuid5

from domain.kernel.vocabulary import ReferralKind, SignalType
from simulator.behaviours import (
    ACKNOWLEDGED_AFTER,
    BEHAVIOUR,
    DOCUMENT_DAYS_PCT,
    ORDINARY,
    PERMIT_DAYS,
    PROFILES,
    Behaviour,
    BehaviourProfile,
)
from simulator.seeded_random import chosen, seeded_random, when_offices_open

SIGNALS: Final = uuid5(NAMESPACE_URL, "awda:simulator")

SENT: Final = "org.iom.vhr.referral.sent.v1"

CANCELLED: Final = "org.iom.vhr.referral.cancelled.v1"

LIVE_PAUSE: Final = timedelta(seconds=3)

FIRST_ASKED_ONLY: Final = {"NOT_CONFIRMED": "NATIONALITY_CONFIRMED"}
"""Outcomes that a partner reports only for its first referral of a person, and the outcome of a repeated one."""

REQUESTED_STEP: Final = 1000
"""Steps requested through ``POST /say`` are numbered from here."""


class UnknownRequestError(LookupError):
    """The partner has received no referral of this kind and cannot send a signal about one."""


@dataclass(frozen=True)
class ReceivedReferral:
    """One referral as its partner knows it.

    ``about`` identifies the person; ``attempt`` counts earlier referrals of the same kind for the same person.
    """

    partner_id: str
    token: str
    kind: ReferralKind
    about: str
    attempt: int
    sent_at: datetime
    departs: datetime | None = None

    def rolls(self, seed: int, question: str) -> random.Random:
        return seeded_random(seed, self.partner_id, self.kind, self.about, self.attempt, question)


@dataclass(frozen=True)
class PlannedSignal:
    """One signal and when it is due (programme clock, UTC).

    ``copies``: how often it is sent under the same id. ``clock``: how far the partner's clock is ahead.
    ``after_flight``: it reports something that happens after the flight.
    """

    due: datetime
    referral: ReceivedReferral
    step: int
    signal_type: SignalType
    outcome: str | None = None
    payload: Mapping[str, Any] = field(default_factory=dict)
    copies: int = 1
    after_flight: bool = False
    occurred_at: datetime | None = None
    clock: timedelta = timedelta(0)
    seq: int | None = None
    reason: str | None = None

    @property
    def order(self) -> tuple[datetime, str, str, int, int]:
        """Returns the sort key for sending, which is the same in every run."""
        return (
            self.due,
            self.referral.partner_id,
            f"{self.referral.kind}/{self.referral.about}",
            self.referral.attempt,
            self.step,
        )

    def event(self) -> dict[str, Any]:
        """Returns the signal as a CloudEvent."""
        signal_id = str(uuid5(SIGNALS, f"{self.referral.token}/{self.step}"))
        data = {
            "signal_id": signal_id,
            "referral_token": self.referral.token,
            "signal_type": self.signal_type,
            "outcome_code": self.outcome,
            "payload": self.payload,
            "occurred_at": ((self.occurred_at or self.due) + self.clock).isoformat(),
            "partner_seq": self.seq,
            "reason": self.reason,
        }
        return {
            "specversion": "1.0",
            "id": signal_id,
            "source": f"awda:partner:{self.referral.partner_id}",
            "type": "org.iom.vhr.signal.v1",
            "datacontenttype": "application/json",
            "data": {name: value for name, value in data.items() if value is not None},
        }


# The signals of one partner for one referral


def signals_for(
    seed: int, referral: ReceivedReferral, profile: BehaviourProfile = PROFILES[ORDINARY]
) -> list[PlannedSignal]:
    """Returns all signals that a partner will send for a referral, in the order of sending."""
    rolls = referral.rolls(seed, "answers")
    traits = {name: rolls.random() * 100 < getattr(profile, f"{name}_pct") for name in TRAITS}
    behaviour = BEHAVIOUR[referral.kind]
    signals = list(_signals(referral, behaviour, profile, rolls, traits))
    for trait, changes in CHANGES.items():
        if traits[trait] and (trait in TRAITS_AFTER_FLIGHTS or not behaviour.confirmation):
            signals = changes(signals, profile)
    return [replace(signal, clock=profile.clock) for signal in signals]


TRAITS: Final = ("rejects", "omits_acknowledgement", "reorders", "duplicates", "contradicts", "negative", "silent")

TRAITS_AFTER_FLIGHTS: Final = ("duplicates", "contradicts", "silent")


def _signals(
    referral: ReceivedReferral,
    behaviour: Behaviour,
    profile: BehaviourProfile,
    rolls: random.Random,
    traits: Mapping[str, bool],
) -> Iterator[PlannedSignal]:
    acknowledged = referral.sent_at + profile.pace * ACKNOWLEDGED_AFTER.drawn(rolls)
    accepted = max(acknowledged, referral.sent_at + profile.pace * behaviour.accepted.drawn(rolls))
    if behaviour.confirmation:
        acknowledged = accepted = referral.sent_at + profile.pace * behaviour.accepted.drawn(rolls)
    completed = max(accepted, referral.sent_at + profile.pace * behaviour.completed.drawn(rolls))
    if behaviour.confirmation and referral.departs:
        completed = max(accepted, referral.departs + behaviour.completed.drawn(rolls))
    yield PlannedSignal(_when(acknowledged, profile), referral, 0, SignalType.ACKNOWLEDGED)
    if traits["rejects"] and (behaviour.may_reject or profile.rejects_pct >= 100) and referral.attempt == 0:
        yield PlannedSignal(
            _when(accepted, profile),
            referral,
            1,
            SignalType.REJECTED,
            behaviour.rejection,
            reason="no capacity at present",
        )
        return
    yield PlannedSignal(_when(accepted, profile), referral, 1, SignalType.ACCEPTED, behaviour.confirmation)
    for number in range(profile.reports):
        yield PlannedSignal(_when(accepted, profile), referral, 10 + number, SignalType.PROGRESS, seq=number)
    yield _completed(_when(completed, profile), referral, behaviour, rolls, negative=traits["negative"])


def _when(moment: datetime, profile: BehaviourProfile) -> datetime:
    """Returns when a signal is sent: at once by a prompt partner, otherwise when offices open (UTC)."""
    return moment if profile.pace == 0 else when_offices_open(moment)


def _completed(
    due: datetime, referral: ReceivedReferral, behaviour: Behaviour, rolls: random.Random, *, negative: bool
) -> PlannedSignal:
    outcome = chosen(rolls, behaviour.outcomes)
    if referral.attempt:
        outcome = FIRST_ASKED_ONLY.get(outcome, outcome)
    payload = {} if negative else PAYLOADS.get(referral.kind, _nothing)(referral, due, rolls)
    outcome = behaviour.negative_outcome if negative else outcome
    return PlannedSignal(
        due, referral, 2, SignalType.COMPLETED, outcome, payload, after_flight=behaviour.confirmation is not None
    )


def _nothing(_asked: ReceivedReferral, _due: datetime, _rolls: random.Random) -> dict[str, Any]:
    return {}


def _document(referral: ReceivedReferral, due: datetime, rolls: random.Random) -> dict[str, Any]:
    ends = due.date() + timedelta(days=chosen(rolls, DOCUMENT_DAYS_PCT))
    return {
        "kind": "LAISSEZ_PASSER",
        "number": f"LP-{referral.about[:8]}-{referral.attempt}",
        "expires_on": ends.isoformat(),
    }


def _permit(referral: ReceivedReferral, due: datetime, _rolls: random.Random) -> dict[str, Any]:
    ends = due.date() + timedelta(days=PERMIT_DAYS)
    return {
        "permit_number": f"X-{referral.about[:8]}-{referral.attempt}",
        "airport": "MJI",
        "expires_on": ends.isoformat(),
    }


def _handover(_asked: ReceivedReferral, due: datetime, _rolls: random.Random) -> dict[str, Any]:
    return {"id_checked": True, "handed_over_at": due.isoformat()}


def _examination(_asked: ReceivedReferral, due: datetime, _rolls: random.Random) -> dict[str, Any]:
    return {"examined_at": due.isoformat()}


PAYLOADS: Final[Mapping[ReferralKind, Callable[[ReceivedReferral, datetime, random.Random], dict[str, Any]]]] = {
    ReferralKind.TRAVEL_DOCUMENT: _document,
    ReferralKind.EXIT_PERMIT: _permit,
    ReferralKind.MEDICAL_ASSESSMENT: _examination,
    ReferralKind.CHILD_HANDOVER: _handover,
}


# How a behaviour profile changes the signals


def _silent(_signals: list[PlannedSignal], _profile: BehaviourProfile) -> list[PlannedSignal]:
    return []


def _without_acknowledgement(signals: list[PlannedSignal], _profile: BehaviourProfile) -> list[PlannedSignal]:
    return [signal for signal in signals if signal.signal_type is not SignalType.ACKNOWLEDGED]


def _reordered(signals: list[PlannedSignal], _profile: BehaviourProfile) -> list[PlannedSignal]:
    """Sends the last signal first, and the others after it."""
    *before, last = signals
    late = [replace(signal, due=last.due, step=last.step + attempt) for attempt, signal in enumerate(before, 1)]
    return [last, *late]


def _duplicated(signals: list[PlannedSignal], profile: BehaviourProfile) -> list[PlannedSignal]:
    """Sends the last signal several times under the same id."""
    *before, last = signals
    return [*before, replace(last, copies=profile.copies)]


def _contradicted(signals: list[PlannedSignal], _profile: BehaviourProfile) -> list[PlannedSignal]:
    """Reports the completion again under a new id, and then once more with the negative outcome."""
    done = next((signal for signal in signals if signal.signal_type is SignalType.COMPLETED), None)
    if done is None:
        return signals
    again = replace(done, due=done.due + timedelta(days=1), step=done.step + 100, copies=1)
    other = replace(again, step=again.step + 1, due=done.due + timedelta(days=2), payload={})
    return [*signals, again, replace(other, outcome=BEHAVIOUR[done.referral.kind].negative_outcome)]


CHANGES: Final[Mapping[str, Callable[[list[PlannedSignal], BehaviourProfile], list[PlannedSignal]]]] = {
    "omits_acknowledgement": _without_acknowledgement,
    "reorders": _reordered,
    "duplicates": _duplicated,
    "contradicts": _contradicted,
    "silent": _silent,
}


# One partner and its agenda


@dataclass
class SimulatedPartner:
    """One organisation. With ``live``, it sends its signals in real time, that long apart."""

    partner_id: str
    seed: int
    profile: BehaviourProfile
    live: timedelta | None = None
    seen: dict[str, str] = field(default_factory=dict)
    referrals: list[ReceivedReferral] = field(default_factory=list)
    agenda: list[PlannedSignal] = field(default_factory=list)
    requested: int = 0

    def receive(self, event: Mapping[str, Any], now: datetime) -> None:
        """Handles a delivery. A repeated delivery is recognised by its id and changes nothing."""
        if event["id"] in self.seen:
            return
        self.seen[event["id"]] = event["type"]
        if event["type"] == SENT:
            self.referrals.append(self._received(event["data"]))
            signals = signals_for(self.seed, self.referrals[-1], self.profile)
            self.agenda += signals if self.live is None else accelerated(signals, now, self.live)
        elif event["type"] == CANCELLED:
            token = event["data"]["referral_token"]
            self.agenda = [
                signal for signal in self.agenda if signal.referral.token != token or self._ignores_cancellation(signal)
            ]

    def _received(self, data: Mapping[str, Any]) -> ReceivedReferral:
        kind, about = ReferralKind(data["kind"]), person_key(data)
        attempt = sum((before.kind, before.about) == (kind, about) for before in self.referrals)
        flight = data["person"].get("flight")
        departs = datetime.fromisoformat(flight["std"]) if flight else None
        sent_at = datetime.fromisoformat(data["sent_at"])
        return ReceivedReferral(self.partner_id, data["referral_token"], kind, about, attempt, sent_at, departs)

    def _ignores_cancellation(self, signal: PlannedSignal) -> bool:
        return signal.referral.rolls(self.seed, "late").random() * 100 < self.profile.ignores_cancellation_pct

    def request_signal(self, kind: ReferralKind, now: datetime, **fields: Any) -> PlannedSignal:
        """Plans a signal on request about the newest referral of a kind. Raises ``UnknownRequestError``."""
        referral = next((one for one in reversed(self.referrals) if one.kind is kind), None)
        if referral is None:
            raise UnknownRequestError(f"{self.partner_id} has received no referral of kind {kind}")
        self.requested += 1
        signal = PlannedSignal(
            now, referral, REQUESTED_STEP + self.requested, SignalType(fields.pop("signal_type")), **fields
        )
        return replace(signal, clock=self.profile.clock)

    def due(self, now: datetime) -> list[PlannedSignal]:
        """Removes from the agenda what is due by now (UTC), and returns it."""
        ready = [signal for signal in self.agenda if signal.due <= now]
        self.agenda = [signal for signal in self.agenda if signal.due > now]
        return ready


@dataclass
class SimulatedPartners:
    """The simulated partners of one process, with one behaviour profile. None knows what another has received."""

    seed: int
    live: timedelta | None = None
    profile: BehaviourProfile = PROFILES[ORDINARY]
    known: dict[str, SimulatedPartner] = field(default_factory=dict)

    def of(self, partner_id: str) -> SimulatedPartner:
        """Returns the simulated partner with this id."""
        if partner_id not in self.known:
            self.known[partner_id] = SimulatedPartner(partner_id, self.seed, self.profile, self.live)
        return self.known[partner_id]

    def receive(self, partner_id: str, event: Mapping[str, Any], now: datetime) -> None:
        self.of(partner_id).receive(event, now)

    @property
    def agenda(self) -> list[PlannedSignal]:
        return [signal for one in self.known.values() for signal in one.agenda]

    def due(self, now: datetime) -> list[PlannedSignal]:
        """Removes what is due by now (UTC) from all agendas, and returns it in the order of sending."""
        ready = [signal for one in self.known.values() for signal in one.due(now)]
        return sorted(ready, key=lambda signal: signal.order)

    def put_back(self, unsent: list[PlannedSignal]) -> None:
        """Returns signals that could not be sent to their agendas."""
        for signal in unsent:
            self.of(signal.referral.partner_id).agenda.append(signal)

    @property
    def next_at(self) -> datetime | None:
        return min((signal.due for signal in self.agenda), default=None)


def person_key(data: Mapping[str, Any]) -> str:
    """Returns a key for the person of a referral, from the data received. The flight may change and does not count."""
    person = {name: value for name, value in data["person"].items() if name != "flight"}
    return hashlib.sha256(json.dumps(person, sort_keys=True).encode()).hexdigest()[:16]


def accelerated(signals: list[PlannedSignal], now: datetime, pause: timedelta = LIVE_PAUSE) -> list[PlannedSignal]:
    """Returns the same signals a few seconds apart, from now on. Signals about an arrival still wait for the flight."""
    soon = [
        replace(signal, due=now + pause * (attempt + 1), occurred_at=signal.referral.sent_at)
        for attempt, signal in enumerate(signals)
    ]
    return [
        replace(signal, due=max(signal.due, signal.referral.departs + timedelta(days=1)))
        if signal.after_flight and signal.referral.departs
        else signal
        for signal in soon
    ]
