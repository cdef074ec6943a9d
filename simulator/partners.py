"""Stand-in partners: each knows what was delivered to it, and decides from that alone what to answer and when.

What is answered depends on the seed, on the partner's manner and on whom the referral is about, never on its token or
on the order of arrival: the same seed answers alike in every run.
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
    MANNERS,
    ORDINARY,
    PERMIT_DAYS,
    Behaviour,
    BehaviourProfile,
)
from simulator.seeded_random import chosen, seeded_random, when_offices_open

SIGNALS: Final = uuid5(NAMESPACE_URL, "awda:simulator")

SENT: Final = "org.iom.vhr.referral.sent.v1"

CANCELLED: Final = "org.iom.vhr.referral.cancelled.v1"

LIVE_PAUSE: Final = timedelta(seconds=3)

FIRST_ASKED_ONLY: Final = {"NOT_CONFIRMED": "NATIONALITY_CONFIRMED"}
"""What a partner says only the first time it is asked, and what it says when asked again."""

BY_HAND: Final = 1000
"""Steps that somebody tells a partner to take are numbered from here."""


class UnknownRequestError(LookupError):
    """Nothing like it was ever sent to the partner, who has nothing to answer."""


@dataclass(frozen=True)
class ReceivedReferral:
    """One referral as its partner knows it. ``about`` tells people apart; ``nth`` counts the same request again."""

    partner_id: str
    token: str
    kind: ReferralKind
    about: str
    nth: int
    sent_at: datetime
    departs: datetime | None = None

    def rolls(self, seed: int, question: str) -> random.Random:
        return seeded_random(seed, self.partner_id, self.kind, self.about, self.nth, question)


@dataclass(frozen=True)
class PlannedSignal:
    """One signal to send, once it is due (programme clock, UTC). ``times``: how often, for some repeat themselves.

    ``clock``: how far ahead of the time the partner's clock is.
    """

    due: datetime
    asked: ReceivedReferral
    step: int
    signal_type: SignalType
    outcome: str | None = None
    payload: Mapping[str, Any] = field(default_factory=dict)
    times: int = 1
    after_the_flight: bool = False
    occurred_at: datetime | None = None
    clock: timedelta = timedelta(0)
    seq: int | None = None
    reason: str | None = None

    @property
    def order(self) -> tuple[datetime, str, str, int, int]:
        """The order of sending, the same in every run."""
        return self.due, self.asked.partner_id, f"{self.asked.kind}/{self.asked.about}", self.asked.nth, self.step

    def event(self) -> dict[str, Any]:
        """The CloudEvent that says it."""
        signal_id = str(uuid5(SIGNALS, f"{self.asked.token}/{self.step}"))
        data = {
            "signal_id": signal_id,
            "referral_token": self.asked.token,
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
            "source": f"awda:partner:{self.asked.partner_id}",
            "type": "org.iom.vhr.signal.v1",
            "datacontenttype": "application/json",
            "data": {name: value for name, value in data.items() if value is not None},
        }


# What one partner answers to one referral


def answers(seed: int, asked: ReceivedReferral, how: BehaviourProfile = MANNERS[ORDINARY]) -> list[PlannedSignal]:
    """Everything a partner will say to a referral, in the order in which it says it."""
    rolls = asked.rolls(seed, "answers")
    does = {name: rolls.random() * 100 < getattr(how, f"{name}_pct") for name in WEAKNESSES}
    behaviour = BEHAVIOUR[asked.kind]
    said = list(_said(asked, behaviour, how, rolls, does))
    for weakness, changes in CHANGES.items():
        if does[weakness] and (weakness in AFTER_FLIGHTS_TOO or not behaviour.confirms):
            said = changes(said, how)
    return [replace(answer, clock=how.clock) for answer in said]


WEAKNESSES: Final = ("rejects", "forgets", "overtakes", "repeats", "contradicts", "badly", "silent")

AFTER_FLIGHTS_TOO: Final = ("repeats", "contradicts", "silent")


def _said(
    asked: ReceivedReferral, behaviour: Behaviour, how: BehaviourProfile, rolls: random.Random, does: Mapping[str, bool]
) -> Iterator[PlannedSignal]:
    acknowledged = asked.sent_at + how.pace * ACKNOWLEDGED_AFTER.drawn(rolls)
    accepted = max(acknowledged, asked.sent_at + how.pace * behaviour.accepted.drawn(rolls))
    if behaviour.confirms:
        acknowledged = accepted = asked.sent_at + how.pace * behaviour.accepted.drawn(rolls)
    completed = max(accepted, asked.sent_at + how.pace * behaviour.completed.drawn(rolls))
    if behaviour.confirms and asked.departs:
        completed = max(accepted, asked.departs + behaviour.completed.drawn(rolls))
    yield PlannedSignal(_when(acknowledged, how), asked, 0, SignalType.ACKNOWLEDGED)
    if does["rejects"] and (behaviour.may_reject or how.rejects_pct >= 100) and asked.nth == 0:
        yield PlannedSignal(
            _when(accepted, how), asked, 1, SignalType.REJECTED, behaviour.full, reason="we cannot take anybody now"
        )
        return
    yield PlannedSignal(_when(accepted, how), asked, 1, SignalType.ACCEPTED, behaviour.confirms)
    for number in range(how.reports):
        yield PlannedSignal(_when(accepted, how), asked, 10 + number, SignalType.PROGRESS, seq=number)
    yield _completed(_when(completed, how), asked, behaviour, rolls, badly=does["badly"])


def _when(moment: datetime, how: BehaviourProfile) -> datetime:
    """Who is prompt answers at once; everybody else when offices open."""
    return moment if how.pace == 0 else when_offices_open(moment)


def _completed(
    due: datetime, asked: ReceivedReferral, behaviour: Behaviour, rolls: random.Random, *, badly: bool
) -> PlannedSignal:
    outcome = chosen(rolls, behaviour.outcomes)
    if asked.nth:
        outcome = FIRST_ASKED_ONLY.get(outcome, outcome)
    payload = {} if badly else PAYLOADS.get(asked.kind, _nothing)(asked, due, rolls)
    outcome = behaviour.badly if badly else outcome
    return PlannedSignal(
        due, asked, 2, SignalType.COMPLETED, outcome, payload, after_the_flight=behaviour.confirms is not None
    )


def _nothing(_asked: ReceivedReferral, _due: datetime, _rolls: random.Random) -> dict[str, Any]:
    return {}


def _document(asked: ReceivedReferral, due: datetime, rolls: random.Random) -> dict[str, Any]:
    ends = due.date() + timedelta(days=chosen(rolls, DOCUMENT_DAYS_PCT))
    return {"kind": "LAISSEZ_PASSER", "number": f"LP-{asked.about[:8]}-{asked.nth}", "expires_on": ends.isoformat()}


def _permit(asked: ReceivedReferral, due: datetime, _rolls: random.Random) -> dict[str, Any]:
    ends = due.date() + timedelta(days=PERMIT_DAYS)
    return {"permit_number": f"X-{asked.about[:8]}-{asked.nth}", "airport": "MJI", "expires_on": ends.isoformat()}


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


# What a manner makes of it


def _silent(_said: list[PlannedSignal], _how: BehaviourProfile) -> list[PlannedSignal]:
    return []


def _forgotten(said: list[PlannedSignal], _how: BehaviourProfile) -> list[PlannedSignal]:
    return [answer for answer in said if answer.signal_type is not SignalType.ACKNOWLEDGED]


def _overtaken(said: list[PlannedSignal], _how: BehaviourProfile) -> list[PlannedSignal]:
    """The last answer goes first, and the others follow it."""
    *before, last = said
    late = [replace(answer, due=last.due, step=last.step + nth) for nth, answer in enumerate(before, 1)]
    return [last, *late]


def _repeated(said: list[PlannedSignal], how: BehaviourProfile) -> list[PlannedSignal]:
    """The last word is said several times under the same id."""
    *before, last = said
    return [*before, replace(last, times=how.times)]


def _contradicted(said: list[PlannedSignal], _how: BehaviourProfile) -> list[PlannedSignal]:
    """What was completed is completed once more under a new id, and then with the contrary outcome."""
    done = next((answer for answer in said if answer.signal_type is SignalType.COMPLETED), None)
    if done is None:
        return said
    again = replace(done, due=done.due + timedelta(days=1), step=done.step + 100, times=1)
    other = replace(again, step=again.step + 1, due=done.due + timedelta(days=2), payload={})
    return [*said, again, replace(other, outcome=BEHAVIOUR[done.asked.kind].badly)]


CHANGES: Final[Mapping[str, Callable[[list[PlannedSignal], BehaviourProfile], list[PlannedSignal]]]] = {
    "forgets": _forgotten,
    "overtakes": _overtaken,
    "repeats": _repeated,
    "contradicts": _contradicted,
    "silent": _silent,
}


# One partner, and what it has still to say


@dataclass
class SimulatedPartner:
    """One organisation's desk. With ``live`` it answers that long apart in real time, and keeps no agenda of days."""

    partner_id: str
    seed: int
    how: BehaviourProfile
    live: timedelta | None = None
    seen: dict[str, str] = field(default_factory=dict)
    asked: list[ReceivedReferral] = field(default_factory=list)
    agenda: list[PlannedSignal] = field(default_factory=list)
    by_hand: int = 0

    def receive(self, event: Mapping[str, Any], now: datetime) -> None:
        """Something was delivered. What came before is known by its id and changes nothing."""
        if event["id"] in self.seen:
            return
        self.seen[event["id"]] = event["type"]
        if event["type"] == SENT:
            self.asked.append(self._asked(event["data"]))
            said = answers(self.seed, self.asked[-1], self.how)
            self.agenda += said if self.live is None else hurried(said, now, self.live)
        elif event["type"] == CANCELLED:
            token = event["data"]["referral_token"]
            self.agenda = [answer for answer in self.agenda if answer.asked.token != token or self._stubborn(answer)]

    def _asked(self, data: Mapping[str, Any]) -> ReceivedReferral:
        kind, about = ReferralKind(data["kind"]), whom(data)
        nth = sum((before.kind, before.about) == (kind, about) for before in self.asked)
        flight = data["person"].get("flight")
        departs = datetime.fromisoformat(flight["std"]) if flight else None
        sent_at = datetime.fromisoformat(data["sent_at"])
        return ReceivedReferral(self.partner_id, data["referral_token"], kind, about, nth, sent_at, departs)

    def _stubborn(self, answer: PlannedSignal) -> bool:
        return answer.asked.rolls(self.seed, "late").random() * 100 < self.how.stubborn_pct

    def say(self, kind: ReferralKind, now: datetime, **told: Any) -> PlannedSignal:
        """What somebody tells it to say about the newest referral of a kind. Raises ``UnknownRequestError``."""
        asked = next((one for one in reversed(self.asked) if one.kind is kind), None)
        if asked is None:
            raise UnknownRequestError(f"{self.partner_id} was sent no {kind}")
        self.by_hand += 1
        said = PlannedSignal(now, asked, BY_HAND + self.by_hand, SignalType(told.pop("signal_type")), **told)
        return replace(said, clock=self.how.clock)

    def due(self, now: datetime) -> list[PlannedSignal]:
        """Take from the agenda what must be said by now."""
        ready = [answer for answer in self.agenda if answer.due <= now]
        self.agenda = [answer for answer in self.agenda if answer.due > now]
        return ready


@dataclass
class SimulatedPartners:
    """The stand-ins of one process, which behave alike. None of them knows what another was told."""

    seed: int
    live: timedelta | None = None
    how: BehaviourProfile = MANNERS[ORDINARY]
    known: dict[str, SimulatedPartner] = field(default_factory=dict)

    def of(self, partner_id: str) -> SimulatedPartner:
        """The stand-in of that name."""
        if partner_id not in self.known:
            self.known[partner_id] = SimulatedPartner(partner_id, self.seed, self.how, self.live)
        return self.known[partner_id]

    def receive(self, partner_id: str, event: Mapping[str, Any], now: datetime) -> None:
        self.of(partner_id).receive(event, now)

    @property
    def agenda(self) -> list[PlannedSignal]:
        return [answer for one in self.known.values() for answer in one.agenda]

    def due(self, now: datetime) -> list[PlannedSignal]:
        """Take from everybody's agenda what must be said by now, in order."""
        ready = [answer for one in self.known.values() for answer in one.due(now)]
        return sorted(ready, key=lambda answer: answer.order)

    def put_back(self, unsaid: list[PlannedSignal]) -> None:
        """What could not be said stays on its agenda."""
        for answer in unsaid:
            self.of(answer.asked.partner_id).agenda.append(answer)

    @property
    def next_at(self) -> datetime | None:
        return min((answer.due for answer in self.agenda), default=None)


def whom(data: Mapping[str, Any]) -> str:
    """Tells the people a partner was told of apart, by what it was told; a flight may change and does not count."""
    person = {name: value for name, value in data["person"].items() if name != "flight"}
    return hashlib.sha256(json.dumps(person, sort_keys=True).encode()).hexdigest()[:16]


def hurried(said: list[PlannedSignal], now: datetime, pause: timedelta = LIVE_PAUSE) -> list[PlannedSignal]:
    """The same answers a few seconds apart, beginning now; only what follows a flight waits for the flight."""
    soon = [
        replace(answer, due=now + pause * (nth + 1), occurred_at=answer.asked.sent_at)
        for nth, answer in enumerate(said)
    ]
    return [
        replace(answer, due=max(answer.due, answer.asked.departs + timedelta(days=1)))
        if answer.after_the_flight and answer.asked.departs
        else answer
        for answer in soon
    ]
