"""Handing a sheet out: first it is recorded in each case that its partner is told about it, then it is written.

The order matters. Whether somebody may be listed is decided where it is recorded; what the log refused, or has not
taken yet, stands on no sheet. The same sheet asked for again on the same day is the same sheet, with the same codes.
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
from domain.referral.sheets import SHEETS, SheetKind, why_not_list
from gateway.intake.service import Intake
from gateway.intake.staff import USER
from gateway.intake.submission import KEY, DeclinedError
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

OVERTAKEN: Final = 10
"""How often a case is looked at again because it went on before its row was written."""

ALSO: Final = frozenset({"dob_precision"})
"""What leaves inside another column."""


@dataclass(frozen=True, slots=True)
class Omitted:
    """A referral that is not on the sheet, and the rule that keeps it off."""

    number: str
    rule: str


@dataclass(frozen=True, slots=True)
class SheetIssue:
    page: SheetPage
    left_out: tuple[Omitted, ...]


@dataclass(frozen=True, slots=True)
class _Found:
    """A referral as it stands in the log of its case."""

    asked: AwaitedReferral
    folded: ReplayedStream
    case: Case
    referral: Referral

    @property
    def number(self) -> str:
        return self.folded.head.number

    @property
    def kind(self) -> ReferralKind:
        return self.referral.asked_kind

    @property
    def why_not(self) -> str | None:
        """What keeps it off the sheet; half a history decides nothing."""
        return "LOG.UNREADABLE" if self.folded.left_out else why_not_list(self.case, self.referral)

    def is_for(self, kind: SheetKind, movement: str | None) -> bool:
        on_it = movement is None or (self.case.seat is not None and self.case.seat.movement == movement)
        return self.kind in SHEETS[kind].kinds and on_it


async def registered(intake: Intake, partner_id: str) -> RegisteredPartner:
    """The partner. Raises ``UnknownPartnerError``."""
    partner = await partner_of(intake.pool, partner_id)
    if partner is None:
        raise UnknownPartnerError(f"there is no partner {partner_id!r}")
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
    """Hand a sheet out to a partner, waiting so long for its cases to be recorded. The same key is the same sheet.

    Raises ``UnknownPartnerError`` and ``DeclinedError``.
    """
    partner = await registered(intake, partner_id)
    if not partner.active:
        raise DeclinedError("conflict", f"{partner_id} is not to be asked at present", rule="PARTNER.INACTIVE")
    found = [each for asked in await sheets.awaiting(intake.pool, partner_id) if (each := await _find(intake, asked))]
    found = [each for each in found if each.is_for(kind, movement) and each.why_not != OVER]
    sheet = await _ordered(intake, SheetRequest(partner_id, kind, movement), user, key)
    rows, left_out = await _listed(intake, [each for each in found if not each.why_not], sheet.sheet_id, user, seconds)
    left_out = [*(Omitted(each.number, each.why_not) for each in found if each.why_not), *left_out]
    zone = Partner(partner_id, partner.kinds, partner.country).calendar.zone
    return SheetIssue(SheetPage(sheet, partner.name, language, zone, tuple(rows)), tuple(left_out))


@dataclass(frozen=True, slots=True)
class SheetRequest:
    """Which sheet is asked for."""

    partner_id: str
    kind: SheetKind
    movement: str | None


async def _ordered(intake: Intake, wanted: SheetRequest, user: str, key: str | None) -> sheets.IssuedSheet:
    """Today's sheet; under a key that was used before, the one it was used for."""
    if key is not None and not KEY.fullmatch(key):
        raise DeclinedError("bad-key", "an idempotency key has 1 to 255 visible ASCII characters; a UUID is a good one")
    if not USER.fullmatch(user):
        raise DeclinedError("bad-user", "that is no user's name")
    order_id = message_id_for(f"sheet:{user}", key) if key is not None else None
    sheet = await sheets.ordered(intake.pool, order_id) if order_id else None
    if sheet is None:
        day = (await now(intake.pool)).astimezone(LIBYA.zone).date()
        about = (wanted.partner_id, wanted.kind)
        sheet = await sheets.issue(intake.pool, *about, movement=wanted.movement, user=user, day=day, order_id=order_id)
    if SheetRequest(sheet.partner_id, sheet.kind, sheet.movement) != wanted:
        raise DeclinedError("key-reused", "this key was used for another sheet; a new sheet needs a new key")
    return sheet


async def _listed(
    intake: Intake, wanted: Sequence[_Found], sheet_id: UUID, user: str, seconds: float
) -> tuple[list[SheetPageRow], list[Omitted]]:
    """List each of these, and the rows of those whose case has taken it; the others are left out, and why."""
    codes = await sheets.place(intake.pool, sheet_id, [(each.asked, each.kind) for each in wanted])
    said = {each.asked: await _list(intake, each, sheet_id, user) for each in wanted}
    became = await until_settled(intake, [message_id for message_id in said.values() if message_id], seconds)
    rows, left_out = list[SheetPageRow](), list[Omitted]()
    for each in wanted:
        message_id = said[each.asked]
        settled = became.get(message_id) if message_id else None
        row = await _row(intake, each.asked, codes[each.asked.referral_id], message_id) if _taken(settled) else None
        match row or _rule(settled):
            case SheetPageRow() as written:
                rows.append(written)
            case rule:
                left_out.append(Omitted(each.number, rule))
    return rows, left_out


def _taken(settled: sheets.LineOutcome | None) -> bool:
    return settled is not None and settled.status == "applied"


async def _find(intake: Intake, asked: AwaitedReferral) -> _Found | None:
    try:
        folded = await replay(intake.pool, intake.keys, asked.stream_id)
    except UnknownStreamError:
        return None
    case = folded.state
    referral = case.referrals.get(asked.referral_id) if isinstance(case, Case) else None
    return _Found(asked, folded, case, referral) if isinstance(case, Case) and referral else None


async def _list(intake: Intake, each: _Found, sheet_id: UUID, user: str) -> UUID | None:
    """Hand the listing in, once for each sheet, user and set of fields: asked again it tells nobody anything new.

    What was refused before is asked anew, for what stood against it may be gone.
    """
    told = uuid5(sheet_id, "+".join(sorted(minimum_data(each.case, each.referral)))).hex
    fields = {"referral_id": str(each.asked.referral_id), "sheet_id": str(sheet_id)}
    for attempt in range(ATTEMPTS):
        key = f"list-{each.asked.referral_id}-{told}-{attempt}"
        try:
            answer = await intake.staff.send(each.number, "ListReferral", fields, user=user, key=key)
        except DeclinedError:
            return None
        if answer.status != "refused":
            return answer.message_id
    return None


async def until_settled(intake: Intake, message_ids: list[UUID], seconds: float) -> dict[UUID, sheets.LineOutcome]:
    """What has become of these messages, once all are settled or so many seconds have gone."""
    until = monotonic() + seconds
    while True:
        found = await sheets.became(intake.pool, message_ids)
        under_way = any(each.status == "pending" for each in found.values())
        if not under_way or monotonic() >= until:
            return found
        await asyncio.sleep(POLL_S)


def _rule(settled: sheets.LineOutcome | None) -> str:
    if settled is None:
        return "ERASED"
    if settled.status == "pending":
        return NOT_YET
    return str(settled.result.get("rule") or settled.result.get("cause") or OVER)


async def _row(intake: Intake, asked: AwaitedReferral, code: str, message_id: UUID | None) -> SheetPageRow | str:
    """The row as it may be written: the fields on record as told, with what they say now. Or the rule against it."""
    found = await _shown(intake, asked)
    if isinstance(found, str):
        return found
    shown = {*SHOWN_FOR[found.kind], *ALSO} & _told(found.folded, message_id)
    person = minimum_data(found.case, found.referral)
    return SheetPageRow(code, found.kind, {name: value for name, value in person.items() if name in shown})


SHOWN_FOR: Final = {kind: sheet.shows for sheet in SHEETS.values() for kind in sheet.kinds}


def _told(folded: ReplayedStream, message_id: UUID | None) -> set[str]:
    """The fields that this listing recorded as told."""
    return {
        name
        for entry in folded.entries
        if isinstance(entry.event, DisclosureRecorded) and entry.metadata.message_id == message_id
        for name in entry.event.fields
    }


async def _shown(intake: Intake, asked: AwaitedReferral) -> _Found | str:
    """The referral as it may be written now; its partner knows of it from now on, and what waited to be brought is."""
    for _ in range(OVERTAKEN):
        found = await _find(intake, asked)
        if found is None or found.why_not:
            return (found and found.why_not) or OVER
        at = found.folded.head.revision
        if await Outbox(intake.pool).shown(asked.stream_id, str(asked.referral_id), at):
            return found
        await asyncio.sleep(POLL_S)
    return NOT_YET
