"""Stand-in partners: each knows what was delivered to it, and decides from that alone what to answer and when.

What is answered depends on the seed and on whom the referral is about, never on its token or on the order of arrival:
the same seed answers alike in every run.
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

from domain.words import ReferralKind, SignalType
from simulator.dice import chosen, dice, when_offices_open
from simulator.scripts import (
    ACKNOWLEDGED_AFTER,
    DOCUMENT_DAYS_PCT,
    DUPLICATE_PCT,
    LATE_PCT,
    NEVER_ACKNOWLEDGED_PCT,
    OUT_OF_ORDER_PCT,
    PERMIT_DAYS,
    REJECTED_PCT,
    Behaviour,
    behaviour_of,
)

SIGNALS: Final = uuid5(NAMESPACE_URL, "awda:simulator")
SENT: Final = "org.iom.vhr.referral.sent.v1"
CANCELLED: Final = "org.iom.vhr.referral.cancelled.v1"
LIVE_PAUSE: Final = timedelta(seconds=3)
FIRST_ASKED_ONLY: Final = {"NOT_CONFIRMED": "NATIONALITY_CONFIRMED"}
"""What a partner says only the first time it is asked, and what it says when asked again."""

T = SignalType
K = ReferralKind


@dataclass(frozen=True)
class Asked:
    """One referral as its partner knows it. ``about`` tells people apart; ``nth`` counts the same request again."""

    partner_id: str
    token: str
    kind: ReferralKind
    about: str
    nth: int
    sent_at: datetime
    departs: datetime | None = None

    def rolls(self, seed: int, question: str) -> random.Random:
        return dice(seed, self.partner_id, self.kind, self.about, self.nth, question)


@dataclass(frozen=True)
class Answer:
    """One signal to send, once it is due (programme clock, UTC). ``times``: how often, for some repeat themselves."""

    due: datetime
    asked: Asked
    step: int
    signal_type: SignalType
    outcome: str | None = None
    payload: Mapping[str, Any] = field(default_factory=dict)
    times: int = 1
    after_the_flight: bool = False
    occurred_at: datetime | None = None

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
            "occurred_at": (self.occurred_at or self.due).isoformat(),
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


def answers(seed: int, asked: Asked) -> list[Answer]:
    """Everything a partner will say to a referral, in the order in which it says it."""
    behaviour = behaviour_of(asked.kind)
    rolls = asked.rolls(seed, "answers")
    unreliable = {name: rolls.random() * 100 < pct for name, pct in _WEAKNESSES.items()}
    said = list(_said(asked, behaviour, rolls, rejects=unreliable["rejects"]))
    if unreliable["forgets"] and not behaviour.confirms:
        said = [answer for answer in said if answer.signal_type is not T.ACKNOWLEDGED]
    if unreliable["swaps"] and not behaviour.confirms:
        said = _swapped(said)
    if unreliable["repeats"]:
        said[-1] = replace(said[-1], times=2)
    return said


_WEAKNESSES: Final = {
    "rejects": REJECTED_PCT,
    "forgets": NEVER_ACKNOWLEDGED_PCT,
    "swaps": OUT_OF_ORDER_PCT,
    "repeats": DUPLICATE_PCT,
}


def _said(asked: Asked, behaviour: Behaviour, rolls: random.Random, *, rejects: bool) -> Iterator[Answer]:
    acknowledged = asked.sent_at + ACKNOWLEDGED_AFTER.drawn(rolls)
    accepted = max(acknowledged, asked.sent_at + behaviour.accepted.drawn(rolls))
    if behaviour.confirms:
        acknowledged = accepted = asked.sent_at + behaviour.accepted.drawn(rolls)
    completed = max(accepted, asked.sent_at + behaviour.completed.drawn(rolls))
    if behaviour.confirms and asked.departs:
        completed = max(accepted, asked.departs + behaviour.completed.drawn(rolls))
    yield Answer(when_offices_open(acknowledged), asked, 0, T.ACKNOWLEDGED)
    if rejects and behaviour.may_reject and asked.nth == 0:
        yield Answer(when_offices_open(accepted), asked, 1, T.REJECTED)
        return
    yield Answer(when_offices_open(accepted), asked, 1, T.ACCEPTED, behaviour.confirms)
    yield _completed(when_offices_open(completed), asked, behaviour, rolls)


def _completed(due: datetime, asked: Asked, behaviour: Behaviour, rolls: random.Random) -> Answer:
    outcome = chosen(rolls, behaviour.outcomes)
    if asked.nth:
        outcome = FIRST_ASKED_ONLY.get(outcome, outcome)
    payload = PAYLOADS.get(asked.kind, _nothing)(asked, due, rolls)
    return Answer(due, asked, 2, T.COMPLETED, outcome, payload, after_the_flight=behaviour.confirms is not None)


def _swapped(said: list[Answer]) -> list[Answer]:
    """The last answer overtakes the one before it."""
    if len(said) < 2:
        return said
    *first, before, last = said
    return [*first, last, replace(before, due=last.due, step=last.step + 1)]


def _nothing(_asked: Asked, _due: datetime, _rolls: random.Random) -> dict[str, Any]:
    return {}


def _document(asked: Asked, due: datetime, rolls: random.Random) -> dict[str, Any]:
    ends = due.date() + timedelta(days=chosen(rolls, DOCUMENT_DAYS_PCT))
    return {"kind": "LAISSEZ_PASSER", "number": f"LP-{asked.about[:8]}-{asked.nth}", "expires_on": ends.isoformat()}


def _permit(asked: Asked, due: datetime, _rolls: random.Random) -> dict[str, Any]:
    ends = due.date() + timedelta(days=PERMIT_DAYS)
    return {"permit_number": f"X-{asked.about[:8]}-{asked.nth}", "airport": "MJI", "expires_on": ends.isoformat()}


def _handover(_asked: Asked, due: datetime, _rolls: random.Random) -> dict[str, Any]:
    return {"id_checked": True, "handed_over_at": due.isoformat()}


def _examination(_asked: Asked, due: datetime, _rolls: random.Random) -> dict[str, Any]:
    return {"examined_at": due.isoformat()}


PAYLOADS: Final[Mapping[ReferralKind, Callable[[Asked, datetime, random.Random], dict[str, Any]]]] = {
    K.TRAVEL_DOCUMENT: _document,
    K.EXIT_PERMIT: _permit,
    K.MEDICAL_ASSESSMENT: _examination,
    K.CHILD_HANDOVER: _handover,
}


# All of them, and what they have still to say


@dataclass
class Partners:
    """The stand-ins' desks. ``live``: answer within seconds of real time instead of keeping an agenda."""

    seed: int
    live: bool = False
    seen: set[str] = field(default_factory=set)
    counts: dict[tuple[str, str, str], int] = field(default_factory=dict)
    agenda: list[Answer] = field(default_factory=list)

    def receive(self, partner_id: str, event: Mapping[str, Any], now: datetime) -> None:
        """Something was delivered. What came before is known by its id and changes nothing."""
        if event["id"] in self.seen:
            return
        self.seen.add(event["id"])
        if event["type"] == SENT:
            asked = self._asked(partner_id, event["data"])
            said = answers(self.seed, asked)
            self.agenda += hurried(said, now) if self.live else said
        elif event["type"] == CANCELLED:
            token = event["data"]["referral_token"]
            self.agenda = [answer for answer in self.agenda if answer.asked.token != token or self._late(answer)]

    def _asked(self, partner_id: str, data: Mapping[str, Any]) -> Asked:
        kind, about = ReferralKind(data["kind"]), whom(data)
        nth = self.counts.get((partner_id, kind, about), 0)
        self.counts[partner_id, kind, about] = nth + 1
        flight = data["person"].get("flight")
        departs = datetime.fromisoformat(flight["std"]) if flight else None
        sent_at = datetime.fromisoformat(data["sent_at"])
        return Asked(partner_id, data["referral_token"], kind, about, nth, sent_at, departs)

    def _late(self, answer: Answer) -> bool:
        return answer.asked.rolls(self.seed, "late").random() * 100 < LATE_PCT

    def due(self, now: datetime) -> list[Answer]:
        """Take from the agenda what must be said by now, in order."""
        ready = sorted((answer for answer in self.agenda if answer.due <= now), key=lambda answer: answer.order)
        self.agenda = [answer for answer in self.agenda if answer.due > now]
        return ready

    @property
    def next_at(self) -> datetime | None:
        return min((answer.due for answer in self.agenda), default=None)


def whom(data: Mapping[str, Any]) -> str:
    """Tells the people a partner was told of apart, by what it was told; a flight may change and does not count."""
    person = {name: value for name, value in data["person"].items() if name != "flight"}
    return hashlib.sha256(json.dumps(person, sort_keys=True).encode()).hexdigest()[:16]


def hurried(said: list[Answer], now: datetime) -> list[Answer]:
    """The same answers a few seconds apart, beginning now; only what follows a flight waits for the flight."""
    soon = [
        replace(answer, due=now + LIVE_PAUSE * (nth + 1), occurred_at=answer.asked.sent_at)
        for nth, answer in enumerate(said)
    ]
    return [
        replace(answer, due=max(answer.due, answer.asked.departs + timedelta(days=1)))
        if answer.after_the_flight and answer.asked.departs
        else answer
        for answer in soon
    ]
