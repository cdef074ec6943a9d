"""One row per referral: who owes us an answer, about what (by its public name), until when."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

from pydantic_core import from_json

from domain.words import ReferralStatus, Timeliness
from store.views.view import Change, Row, Said, View

S = ReferralStatus


def _happened_at(record: Any) -> datetime:
    return datetime.fromisoformat(from_json(record["metadata"])["happened_at"])


def _created(row: Row, said: Said, _: Any) -> None:
    row |= {
        "kind": said["kind"],
        "partner_id": said["partner_id"],
        "urgent": said.get("urgent", False),
        "status": S.DRAFT.value,
        "timeliness": Timeliness.ON_TIME.value,
        "sent_at": None,
        "paused_since": None,
        "dues": {},
    }


def _sent(row: Row, said: Said, record: Any) -> None:
    row |= {"status": S.SENT.value, "sent_at": _happened_at(record), "dues": said["dues"]}


def _to(status: ReferralStatus) -> Change:
    def change(row: Row, _said: Said, _: Any) -> None:
        row["status"], row["timeliness"] = status.value, Timeliness.ON_TIME.value

    return change


def _paused(row: Row, _said: Said, record: Any) -> None:
    row |= {"status": S.ON_HOLD.value, "timeliness": Timeliness.ON_TIME.value, "paused_since": _happened_at(record)}


def _resumed(row: Row, _said: Said, record: Any) -> None:
    """What was owed is owed later, by as long as the pause lasted."""
    row |= {"status": S.IN_PROGRESS.value, "timeliness": Timeliness.ON_TIME.value}
    if row["paused_since"] is not None:
        pause = _happened_at(record) - row["paused_since"]
        row["dues"] = {step: _written(datetime.fromisoformat(due) + pause) for step, due in row["dues"].items()}
        row["paused_since"] = None


def _written(at: datetime) -> str:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _late(how: Callable[[Said], Timeliness]) -> Change:
    def change(row: Row, said: Said, _: Any) -> None:
        row["timeliness"] = how(said).value

    return change


REFERRAL_LIST: Final = View(
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
        "version": "bigint",
        "updated_at": "timestamptz",
    },
    begins="ReferralCreated",
    changes={
        "ReferralCreated": _created,
        "ReferralSent": _sent,
        "ReferralAcknowledged": _to(S.ACKNOWLEDGED),
        "ReferralAccepted": _to(S.ACCEPTED),
        "ReferralStarted": _to(S.IN_PROGRESS),
        "ReferralPaused": _paused,
        "ReferralResumed": _resumed,
        "ReferralCompleted": _to(S.COMPLETED),
        "ReferralRejected": _to(S.REJECTED),
        "ReferralFailed": _to(S.FAILED),
        "ReferralCancelled": _to(S.CANCELLED),
        "ReferralExpired": _to(S.EXPIRED),
        "ReferralEnteredInError": _to(S.ENTERED_IN_ERROR),
        "ReferralReminderSent": _late(lambda _: Timeliness.REMINDED),
        "ReferralOverdue": _late(lambda _: Timeliness.OVERDUE),
        "ReferralEscalated": _late(lambda said: Timeliness[f"ESCALATED_{said['level']}"]),
    },
    names=lambda said, record: (record["stream_id"], said["referral_id"]),
)
