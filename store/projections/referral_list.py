"""One row per referral: who owes us an answer, about what (by its public name), until when."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, Final

from pydantic_core import from_json

from domain.case.referral import after_a_move, later
from domain.events.partner_report import AMENDED_TO
from domain.kernel.vocabulary import ReferralStatus, SignalType, Timeliness
from store.projections.projection import Change, Projection, Row, Said


def _happened_at(record: Any) -> datetime:
    return datetime.fromisoformat(from_json(record["metadata"])["happened_at"])


def _created(row: Row, said: Said, _: Any) -> None:
    row |= {
        "kind": said["kind"],
        "partner_id": said["partner_id"],
        "urgent": said.get("urgent", False),
        "status": ReferralStatus.DRAFT.value,
        "timeliness": Timeliness.ON_TIME.value,
        "sent_at": None,
        "paused_since": None,
        "dues": {},
        "told": [],
        "told_at": None,
    }


def _sent(row: Row, said: Said, record: Any) -> None:
    row |= {"status": ReferralStatus.SENT.value, "sent_at": _happened_at(record), "dues": said["dues"]}


def _put_off(row: Row, said: Said, _: Any) -> None:
    row["dues"] = row["dues"] | said.get("dues", {})


def _move(row: Row, said: Said, record: Any, to: ReferralStatus) -> None:
    """As the referral itself moves: what was told of a step that is still owed stays told."""
    _put_off(row, said, record)
    told, timeliness = after_a_move(to, row["dues"], row["told"])
    row |= {"status": to.value, "told": sorted(told)}
    _be(row, timeliness, record)


def _to(status: ReferralStatus) -> Change:
    return lambda row, said, record: _move(row, said, record, status)


def _accepted(row: Row, said: Said, record: Any) -> None:
    """Heard after the partner had begun, it moves nothing."""
    if row["status"] in (ReferralStatus.SENT, ReferralStatus.ACKNOWLEDGED):
        _move(row, said, record, ReferralStatus.ACCEPTED)


def _paused(row: Row, said: Said, record: Any) -> None:
    _move(row, said, record, ReferralStatus.ON_HOLD)
    row["paused_since"] = _happened_at(record)


def _resumed(row: Row, said: Said, record: Any) -> None:
    _move(row, said, record, ReferralStatus.IN_PROGRESS)
    row["paused_since"] = None


def _amended(row: Row, said: Said, _: Any) -> None:
    row["status"] = AMENDED_TO.get(SignalType(said["signal_type"]), ReferralStatus.COMPLETED).value


def _late(how: Callable[[Said], Timeliness]) -> Change:
    def change(row: Row, said: Said, record: Any) -> None:
        row["told"] = sorted({*row["told"], said["rung"]})
        _be(row, later(Timeliness(row["timeliness"]), how(said)), record)

    return change


def _be(row: Row, timeliness: Timeliness, record: Any) -> None:
    if row["timeliness"] != timeliness:
        row |= {"timeliness": timeliness.value, "told_at": _happened_at(record)}


REFERRAL_LIST: Final = Projection(
    name="referral_list",
    key=("stream_id", "referral_id"),
    columns={
        "stream_id": "uuid",
        "referral_id": "text",
        "kind": "text",
        "partner_id": "text",
        "urgent": "boolean",
        "status": "text",
        "timeliness": "text",
        "sent_at": "timestamptz",
        "paused_since": "timestamptz",
        "dues": "jsonb",
        "told": "text[]",
        "told_at": "timestamptz",
        "version": "bigint",
        "updated_at": "timestamptz",
    },
    begins="ReferralCreated",
    changes={
        "ReferralCreated": _created,
        "ReferralSent": _sent,
        "ReferralAcknowledged": _to(ReferralStatus.ACKNOWLEDGED),
        "ReferralAccepted": _accepted,
        "ReferralStarted": _to(ReferralStatus.IN_PROGRESS),
        "ReferralProgressReported": _put_off,
        "ReferralPaused": _paused,
        "ReferralResumed": _resumed,
        "ReferralCompleted": _to(ReferralStatus.COMPLETED),
        "ReferralRejected": _to(ReferralStatus.REJECTED),
        "ReferralFailed": _to(ReferralStatus.FAILED),
        "ReferralOutcomeAmended": _amended,
        "ReferralCancelled": _to(ReferralStatus.CANCELLED),
        "ReferralExpired": _to(ReferralStatus.EXPIRED),
        "ReferralEnteredInError": _to(ReferralStatus.ENTERED_IN_ERROR),
        "ReferralReminderSent": _late(lambda _: Timeliness.REMINDED),
        "ReferralReminderHeldBack": _late(lambda _: Timeliness.ON_TIME),
        "ReferralOverdue": _late(lambda _: Timeliness.OVERDUE),
        "ReferralEscalated": _late(lambda said: Timeliness[f"ESCALATED_{said['level']}"]),
    },
    names=lambda said, record: (record["stream_id"], said["referral_id"]),
)
