"""The list of referrals: partner, public kind, status and due times, one row per referral."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, Final

from pydantic_core import from_json

from domain.case.referral import after_a_move, later
from domain.events.partner_report import AMENDED_TO
from domain.kernel.vocabulary import ReferralStatus, SignalType, Timeliness
from store.projections.projection import Change, Projection, Row, State


def _happened_at(record: Any) -> datetime:
    return datetime.fromisoformat(from_json(record["metadata"])["happened_at"])


def _created(row: Row, state: State, _: Any) -> None:
    row |= {
        "kind": state["kind"],
        "partner_id": state["partner_id"],
        "urgent": state.get("urgent", False),
        "status": ReferralStatus.DRAFT.value,
        "timeliness": Timeliness.ON_TIME.value,
        "sent_at": None,
        "paused_since": None,
        "dues": {},
        "told": [],
        "told_at": None,
    }


def _sent(row: Row, state: State, record: Any) -> None:
    row |= {"status": ReferralStatus.SENT.value, "sent_at": _happened_at(record), "dues": state["dues"]}


def _postpone(row: Row, state: State, _: Any) -> None:
    row["dues"] = row["dues"] | state.get("dues", {})


def _change_status(row: Row, state: State, record: Any, to: ReferralStatus) -> None:
    """Applies a change of status as the aggregate does: recorded escalations of steps still due are kept."""
    _postpone(row, state, record)
    escalated, timeliness = after_a_move(to, row["dues"], row["told"])
    row |= {"status": to.value, "told": sorted(escalated)}
    _set_timeliness(row, timeliness, record)


def _changes_to(status: ReferralStatus) -> Change:
    return lambda row, state, record: _change_status(row, state, record, status)


def _accepted(row: Row, state: State, record: Any) -> None:
    """Has no effect on a referral that the partner has already started."""
    if row["status"] in (ReferralStatus.SENT, ReferralStatus.ACKNOWLEDGED):
        _change_status(row, state, record, ReferralStatus.ACCEPTED)


def _paused(row: Row, state: State, record: Any) -> None:
    _change_status(row, state, record, ReferralStatus.ON_HOLD)
    row["paused_since"] = _happened_at(record)


def _resumed(row: Row, state: State, record: Any) -> None:
    _change_status(row, state, record, ReferralStatus.IN_PROGRESS)
    row["paused_since"] = None


def _amended(row: Row, state: State, _: Any) -> None:
    row["status"] = AMENDED_TO.get(SignalType(state["signal_type"]), ReferralStatus.COMPLETED).value


def _late(timeliness_of: Callable[[State], Timeliness]) -> Change:
    def change(row: Row, state: State, record: Any) -> None:
        row["told"] = sorted({*row["told"], state["rung"]})
        _set_timeliness(row, later(Timeliness(row["timeliness"]), timeliness_of(state)), record)

    return change


def _set_timeliness(row: Row, timeliness: Timeliness, record: Any) -> None:
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
        "ReferralAcknowledged": _changes_to(ReferralStatus.ACKNOWLEDGED),
        "ReferralAccepted": _accepted,
        "ReferralStarted": _changes_to(ReferralStatus.IN_PROGRESS),
        "ReferralProgressReported": _postpone,
        "ReferralPaused": _paused,
        "ReferralResumed": _resumed,
        "ReferralCompleted": _changes_to(ReferralStatus.COMPLETED),
        "ReferralRejected": _changes_to(ReferralStatus.REJECTED),
        "ReferralFailed": _changes_to(ReferralStatus.FAILED),
        "ReferralOutcomeAmended": _amended,
        "ReferralCancelled": _changes_to(ReferralStatus.CANCELLED),
        "ReferralExpired": _changes_to(ReferralStatus.EXPIRED),
        "ReferralEnteredInError": _changes_to(ReferralStatus.ENTERED_IN_ERROR),
        "ReferralReminderSent": _late(lambda _: Timeliness.REMINDED),
        "ReferralReminderHeldBack": _late(lambda _: Timeliness.ON_TIME),
        "ReferralOverdue": _late(lambda _: Timeliness.OVERDUE),
        "ReferralEscalated": _late(lambda state: Timeliness[f"ESCALATED_{state['level']}"]),
    },
    names=lambda state, record: (record["stream_id"], state["referral_id"]),
)
