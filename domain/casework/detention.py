"""Handlers that record detention and release; they apply at any stage."""

from __future__ import annotations

from collections.abc import Iterator

from domain.case.aggregate import Case
from domain.clearance.actions import hold, task
from domain.commands.screening import RecordDetention, RecordRelease
from domain.events.screening import DetentionRecorded, DetentionReleased
from domain.kernel.context import Context
from domain.kernel.event import Event
from domain.kernel.vocabulary import HoldType


def record_detention(case: Case, command: RecordDetention, ctx: Context) -> Iterator[Event]:
    yield DetentionRecorded(situation=command.situation, site=command.site)
    if not case.holds_of(HoldType.DETENTION):
        yield hold(HoldType.DETENTION, ctx)


def record_release(_case: Case, _command: RecordRelease, ctx: Context) -> Iterator[Event]:
    yield DetentionReleased()
    yield task("lift the detention hold", "PROTECTION_OFFICER", ctx.policy.pinned.withdrawal_contact, ctx)
