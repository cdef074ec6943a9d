"""Issues a sheet to a partner: each case first records the disclosure, then the sheet is written.

The order is a safety rule. The case decides whether a person may be listed, so a referral whose disclosure was refused
or is not recorded yet is not on the sheet. A request for the same sheet on the same day returns the same sheet with the
same row codes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from time import monotonic
from typing import Final
from uuid import UUID, uuid5

from audit.replay import ReplayedStream, UnknownStreamError, replay
from domain.case.aggregate import Case
from domain.case.referral import Referral
from domain.events.referral import DisclosureRecorded
from domain.kernel.directory import Partner
from domain.kernel.vocabulary import ReferralKind
from domain.kernel.working_time import LIBYA
from domain.referral.disclosure import minimum_data
from domain.referral.sheets import SHEETS, SheetKind, listing_blocked_by
from gateway.intake.service import Intake
from gateway.intake.staff import USER
from gateway.intake.submission import KEY, DeclinedError
from gateway.partner_access.refusals import explain
from gateway.sheets.rendering import SheetPage, SheetPageRow
from gateway.sheets.translations import Language
from store.messages.inbox import message_id_for
from store.messages.outbox import Outbox
from store.partners import sheets
from store.partners.registry import RegisteredPartner, UnknownPartnerError
from store.partners.registry import get as partner_of
from store.partners.sheets import AwaitedReferral
from store.postgres.clock import now

OVER: Final = "REFERRAL.OVER"

NOT_YET: Final = "NOT_RECORDED_YET"

POLL_S: Final = 0.05

ATTEMPTS: Final = 20

MAX_RELOADS: Final = 10
"""How often a case is loaded again because it changed before its row was written."""

INSIDE_OTHER_COLUMNS: Final = frozenset({"dob_precision"})
"""Fields that are disclosed as part of another column."""


@dataclass(frozen=True, slots=True)
class Omitted:
    """A referral that is not on the sheet: its case number and the rule that excludes it."""

    number: str
    rule: str

    @property
    def reason(self) -> str:
        """The rule in words, with the next step."""
        return explain(self.rule)


@dataclass(frozen=True, slots=True)
class SheetIssue:
    """A sheet that was issued, and the referrals that were left out of it."""

    page: SheetPage
    left_out: tuple[Omitted, ...]


@dataclass(frozen=True, slots=True)
class _LoadedReferral:
    """A referral that awaits an answer, with its case loaded from the log."""

    awaited: AwaitedReferral
    stream: ReplayedStream
    case: Case
    referral: Referral

    @property
    def number(self) -> str:
        return self.stream.head.number

    @property
    def kind(self) -> ReferralKind:
        return self.referral.asked_kind

    @property
    def why_not(self) -> str | None:
        """The rule that excludes it. An incomplete history is never the basis of a decision."""
        return "LOG.UNREADABLE" if self.stream.left_out else listing_blocked_by(self.case, self.referral)

    def is_for(self, kind: SheetKind, movement: str | None) -> bool:
        on_flight = movement is None or (self.case.seat is not None and self.case.seat.movement == movement)
        return self.kind in SHEETS[kind].kinds and on_flight


async def registered(intake: Intake, partner_id: str) -> RegisteredPartner:
    """Returns the partner. Raises ``UnknownPartnerError``."""
    partner = await partner_of(intake.pool, partner_id)
    if partner is None:
        raise UnknownPartnerError(f"there is no partner {partner_id!r}: check the name (`awda partner list`)")
    return partner


async def issue_sheet(
    intake: Intake,
    partner_id: str,
    kind: SheetKind,
    *,
    user: str,
    language: Language = "en",
    movement: str | None = None,
    seconds: float = 30.0,
    key: str | None = None,
) -> SheetIssue:
    """Issues a sheet to a partner. Waits up to ``seconds`` for the cases to record the disclosure.

    The same key returns the same sheet. Raises ``UnknownPartnerError`` and ``DeclinedError``.
    """
    partner = await registered(intake, partner_id)
    if not partner.active:
        detail = f"{partner_id} is not active, so no sheet is issued to it: choose another partner or activate it first"
        raise DeclinedError("conflict", detail, rule="PARTNER.INACTIVE")
    awaiting = await sheets.awaiting(intake.pool, partner_id)
    loaded = [each for awaited in awaiting if (each := await _load(intake, awaited))]
    loaded = [each for each in loaded if each.is_for(kind, movement) and each.why_not != OVER]
    sheet = await _sheet_for(intake, SheetRequest(partner_id, kind, movement), user, key)
    allowed = [each for each in loaded if not each.why_not]
    rows, left_out = await _list_all(intake, allowed, sheet.sheet_id, user, seconds)
    left_out = [*(Omitted(each.number, each.why_not) for each in loaded if each.why_not), *left_out]
    zone = Partner(partner_id, partner.kinds, partner.country).calendar.zone
    return SheetIssue(SheetPage(sheet, partner.name, language, zone, tuple(rows)), tuple(left_out))


@dataclass(frozen=True, slots=True)
class SheetRequest:
    """The sheet that is requested: for which partner, of which kind, and for which flight."""

    partner_id: str
    kind: SheetKind
    movement: str | None


async def _sheet_for(intake: Intake, request: SheetRequest, user: str, key: str | None) -> sheets.IssuedSheet:
    """Returns today's sheet. A key that was used before returns the sheet that it was used for."""
    if key is not None and not KEY.fullmatch(key):
        raise DeclinedError(
            "bad-key", "the idempotency key must have 1 to 255 visible ASCII characters: send a new UUID, for example"
        )
    if not USER.fullmatch(user):
        raise DeclinedError("bad-user", f"{user[:64]!r} is not a valid user name: check the spelling")
    order_id = message_id_for(f"sheet:{user}", key) if key is not None else None
    sheet = await sheets.ordered(intake.pool, order_id) if order_id else None
    if sheet is None:
        day = (await now(intake.pool)).astimezone(LIBYA.zone).date()
        sheet = await sheets.issue(
            intake.pool, request.partner_id, request.kind,
            movement=request.movement, user=user, day=day, order_id=order_id,
        )  # fmt: skip
    if SheetRequest(sheet.partner_id, sheet.kind, sheet.movement) != request:
        raise DeclinedError("key-reused", "this key was used for another sheet: send a new key for a new sheet")
    return sheet


async def _list_all(
    intake: Intake, referrals: Sequence[_LoadedReferral], sheet_id: UUID, user: str, seconds: float
) -> tuple[list[SheetPageRow], list[Omitted]]:
    """Returns the rows of the referrals whose case recorded the listing, and the others with the rule that applied."""
    codes = await sheets.place(intake.pool, sheet_id, [(each.awaited, each.kind) for each in referrals])
    submitted = {each.awaited: await _submit_listing(intake, each, sheet_id, user) for each in referrals}
    outcomes = await until_settled(intake, [message_id for message_id in submitted.values() if message_id], seconds)
    rows, left_out = list[SheetPageRow](), list[Omitted]()
    for each in referrals:
        message_id = submitted[each.awaited]
        outcome = outcomes.get(message_id) if message_id else None
        code = codes[each.awaited.referral_id]
        row = await _row(intake, each.awaited, code, message_id) if _applied(outcome) else None
        match row or _rule(outcome):
            case SheetPageRow() as listed:
                rows.append(listed)
            case rule:
                left_out.append(Omitted(each.number, rule))
    return rows, left_out


def _applied(outcome: sheets.LineOutcome | None) -> bool:
    return outcome is not None and outcome.status == "applied"


async def _load(intake: Intake, awaited: AwaitedReferral) -> _LoadedReferral | None:
    try:
        stream = await replay(intake.pool, intake.keys, awaited.stream_id)
    except UnknownStreamError:
        return None
    case = stream.state
    referral = case.referrals.get(awaited.referral_id) if isinstance(case, Case) else None
    return _LoadedReferral(awaited, stream, case, referral) if isinstance(case, Case) and referral else None


async def _submit_listing(intake: Intake, each: _LoadedReferral, sheet_id: UUID, user: str) -> UUID | None:
    """Submits the listing once for each sheet, user and set of fields, and returns its message id.

    A repetition discloses nothing new. A listing that was refused is submitted again under a new key, because what
    prevented it may have been resolved.
    """
    field_set = uuid5(sheet_id, "+".join(sorted(minimum_data(each.case, each.referral)))).hex
    fields = {"referral_id": str(each.awaited.referral_id), "sheet_id": str(sheet_id)}
    for attempt in range(ATTEMPTS):
        key = f"list-{each.awaited.referral_id}-{field_set}-{attempt}"
        try:
            answer = await intake.staff.send(each.number, "ListReferral", fields, user=user, key=key)
        except DeclinedError:
            return None
        if answer.status != "refused":
            return answer.message_id
    return None


async def until_settled(intake: Intake, message_ids: list[UUID], seconds: float) -> dict[UUID, sheets.LineOutcome]:
    """Returns the outcomes of these messages as soon as none is pending, or after ``seconds``."""
    until = monotonic() + seconds
    while True:
        outcomes = await sheets.outcomes(intake.pool, message_ids)
        pending = any(each.status == "pending" for each in outcomes.values())
        if not pending or monotonic() >= until:
            return outcomes
        await asyncio.sleep(POLL_S)


def _rule(outcome: sheets.LineOutcome | None) -> str:
    if outcome is None:
        return "ERASED"
    if outcome.status == "pending":
        return NOT_YET
    return str(outcome.result.get("rule") or outcome.result.get("cause") or OVER)


async def _row(intake: Intake, awaited: AwaitedReferral, code: str, message_id: UUID | None) -> SheetPageRow | str:
    """Returns the row, or the rule that excludes it.

    The row has the fields that were recorded as disclosed, with their present values.
    """
    loaded = await _show(intake, awaited)
    if isinstance(loaded, str):
        return loaded
    shown = {*SHOWN_FOR[loaded.kind], *INSIDE_OTHER_COLUMNS} & _disclosed(loaded.stream, message_id)
    person = minimum_data(loaded.case, loaded.referral)
    return SheetPageRow(code, loaded.kind, {name: value for name, value in person.items() if name in shown})


SHOWN_FOR: Final = {kind: sheet.shows for sheet in SHEETS.values() for kind in sheet.kinds}


def _disclosed(stream: ReplayedStream, message_id: UUID | None) -> set[str]:
    """Returns the fields that this listing recorded as disclosed."""
    return {
        name
        for entry in stream.entries
        if isinstance(entry.event, DisclosureRecorded) and entry.metadata.message_id == message_id
        for name in entry.event.fields
    }


async def _show(intake: Intake, awaited: AwaitedReferral) -> _LoadedReferral | str:
    """Returns the referral as it may be written now, or the rule that excludes it.

    From then on the partner knows of the referral, and its pending manual deliveries count as delivered.
    """
    for _ in range(MAX_RELOADS):
        loaded = await _load(intake, awaited)
        if loaded is None or loaded.why_not:
            return (loaded and loaded.why_not) or OVER
        revision = loaded.stream.head.revision
        if await Outbox(intake.pool).shown(awaited.stream_id, str(awaited.referral_id), revision):
            return loaded
        await asyncio.sleep(POLL_S)
    return NOT_YET
