"""Sheets: lists that a partner receives on paper or as a spreadsheet, and returns filled in.

A row is one referral. It shows the recipient's minimum data, and the partner enters what a signal may contain. The
tables of this module define the kinds of referral on each sheet, the printed columns, the cells to be filled in and the
outcomes to choose from.

Many people may see a sheet. It therefore contains no row whose presence reveals protected facts: a protection handover
is requested by a separate message, and a person under protection is listed like all others.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from domain.case.aggregate import Case
from domain.case.referral import Referral
from domain.commands.referral import ListReferral
from domain.events.referral import ReferralListed
from domain.kernel.context import Context
from domain.kernel.errors import Rejected
from domain.kernel.event import Compartment, Event
from domain.kernel.vocabulary import ReferralKind, ReferralStatus, SignalType
from domain.referral.outcomes import OUTCOMES
from domain.referral.requests import disclosure, sending_blocked_by


class SheetKind(StrEnum):
    """The types of sheet."""

    EMBASSY_SESSION = "embassy-session"
    CLINIC_AFTERNOON = "clinic-afternoon"
    EXIT_LIST = "exit-list"
    RECEPTION_DESK = "reception-desk"


class CellType(StrEnum):
    """The type of value that a partner enters in a cell."""

    TEXT = "TEXT"
    NUMBER = "NUMBER"
    """The number of a document. European and Arabic digits are equivalent."""
    DAY = "DAY"
    """A date that is not in the future."""
    COMING = "COMING"
    """A date that may be in the future."""
    MOMENT = "MOMENT"
    """A date that is not in the future, with or without a time."""
    COUNT = "COUNT"
    ANSWER = "ANSWER"
    DOCUMENT = "DOCUMENT"
    REFUSAL = "REFUSAL"
    AIRPORT = "AIRPORT"


CELLS: Final[Mapping[str, CellType]] = {
    "date": CellType.MOMENT,
    "document kind": CellType.DOCUMENT,
    "document number": CellType.NUMBER,
    "issued on": CellType.DAY,
    "expires on": CellType.COMING,
    "permit number": CellType.NUMBER,
    "list number": CellType.NUMBER,
    "airport": CellType.AIRPORT,
    "reason class": CellType.REFUSAL,
    "valid until": CellType.COMING,
    "check again on": CellType.COMING,
    "cash in EUR": CellType.COUNT,
    "nights": CellType.COUNT,
    "transport": CellType.TEXT,
    "facility": CellType.TEXT,
    "identity checked": CellType.ANSWER,
}
"""The cells that a partner fills in besides the result, and their types."""

RESULT, NOTE, WITHDRAWAL, CONCERN = "result", "note", "withdrawal", "concern"

STATEMENT_COLUMNS: Final[Mapping[str, SignalType]] = {
    WITHDRAWAL: SignalType.WITHDRAWAL_REPORTED,
    CONCERN: SignalType.CONCERN_REPORTED,
}
"""Statements of the person, in every row of every sheet. They only restrict: a sheet cannot report consent."""


@dataclass(frozen=True)
class SheetOutcome:
    """A result to choose from. One that ``permits`` advances the journey and requires the cells in ``needs``."""

    code: str
    signal: SignalType = SignalType.COMPLETED
    permits: bool = False
    needs: frozenset[str] = frozenset()

    @property
    def outcome_code(self) -> str | None:
        """The outcome code of the signal. A plain acceptance or rejection has none."""
        return None if self.code in (SignalType.ACCEPTED, SignalType.REJECTED) else self.code


@dataclass(frozen=True)
class SheetOutcomes:
    """The results for one kind of referral. ``cells`` maps its columns to their names in the payload."""

    outcomes: tuple[SheetOutcome, ...]
    cells: Mapping[str, str]

    def outcome(self, code: str) -> SheetOutcome | None:
        """Returns the result with a code, or ``None``."""
        return next((each for each in self.outcomes if each.code == code), None)


PERMITS: Final[Mapping[ReferralKind, Mapping[str, tuple[str, ...]]]] = {
    ReferralKind.CONSULAR_IDENTITY: {"NATIONALITY_CONFIRMED": ()},
    ReferralKind.TRAVEL_DOCUMENT: {"ISSUED": ("document kind", "document number")},
    ReferralKind.MEDICAL_ASSESSMENT: {"NO_SIGNIFICANT_CONDITION": ("date",), "SIGNIFICANT_CONDITION_STABLE": ("date",)},
    ReferralKind.FIT_TO_TRAVEL: {"FIT": ("date",), "FIT_WITH_CONDITIONS": ("date", NOTE)},
    ReferralKind.EXIT_PERMIT: {"GRANTED": ("permit number",)},
    ReferralKind.RECEPTION: {"CONFIRMED": (), "CONFIRMED_WITH_LIMITS": (), "RECEIVED": ("date",)},
    ReferralKind.MEDICAL_HANDOVER: {"HANDED_OVER": ("date",), "ADMITTED": ("date",)},
    ReferralKind.CHILD_HANDOVER: {"HANDED_OVER": ("date", "identity checked")},
}
"""Outcomes that advance the journey, and the cells that each requires."""

PAUSES: Final = frozenset({"FEE_REQUIRED", "MORE_INFO"})
"""Outcomes that wait for IOM's action: a sheet reports them as a pause."""

COLUMNS: Final[Mapping[ReferralKind, Mapping[str, str]]] = {
    ReferralKind.CONSULAR_IDENTITY: {"date": "interviewed_on"},
    ReferralKind.TRAVEL_DOCUMENT: {
        "document kind": "kind", "document number": "number", "issued on": "issued_on", "expires on": "expires_on",
    },
    ReferralKind.MEDICAL_ASSESSMENT: {"date": "examined_at", "valid until": "valid_until"},
    ReferralKind.FIT_TO_TRAVEL: {"date": "issued_at", "valid until": "valid_until", "check again on": "recheck_on"},
    ReferralKind.EXIT_PERMIT: {
        "permit number": "permit_number", "list number": "list_no", "airport": "airport",
        "expires on": "expires_on", "reason class": "reason_class",
    },
    ReferralKind.RECEPTION: {
        "date": "met_at", "cash in EUR": "cash_eur", "nights": "shelter_nights", "transport": "onward_transport",
    },
    ReferralKind.MEDICAL_HANDOVER: {"date": "handed_over_at", "facility": "facility"},
    ReferralKind.CHILD_HANDOVER: {"date": "handed_over_at", "identity checked": "id_checked"},
}  # fmt: skip
"""The cells of each kind of referral on a sheet, and their names in the payload of a signal."""


def _outcomes(kind: ReferralKind) -> Iterator[SheetOutcome]:
    """Returns the outcomes of a kind, with a plain acceptance or rejection where the kind has no code for it."""
    by_signal, needed = OUTCOMES[kind].by_signal, PERMITS[kind]
    for signal in (SignalType.ACCEPTED, SignalType.REJECTED, SignalType.COMPLETED, SignalType.PROGRESS):
        for code in by_signal[signal]:
            reported = SignalType.PAUSED if signal is SignalType.PROGRESS and code in PAUSES else signal
            yield SheetOutcome(code, reported, code in needed, frozenset(needed.get(code, ())))
    for signal in (SignalType.ACCEPTED, SignalType.REJECTED):
        if not by_signal[signal]:
            yield SheetOutcome(signal.value, signal)


SHEET_OUTCOMES: Final = {kind: SheetOutcomes(tuple(_outcomes(kind)), cells) for kind, cells in COLUMNS.items()}
"""The results to choose from, by kind of referral."""

IDENTITY: Final = ("family_name", "given_names", "sex", "date_of_birth")


@dataclass(frozen=True)
class Sheet:
    """A type of sheet. ``shows`` are the printed columns; a row contains only what its recipient may see."""

    kinds: tuple[ReferralKind, ...]
    shows: tuple[str, ...]
    compartment: Compartment = Compartment.GEN
    """The compartment in which a scan of the sheet is sealed."""

    @property
    def returns(self) -> tuple[str, ...]:
        """The columns that the partner fills in, in order. Every sheet has a date column."""
        requested = {"date", *(column for kind in self.kinds for column in SHEET_OUTCOMES[kind].cells)}
        return (RESULT, *(column for column in CELLS if column in requested), NOTE, *STATEMENT_COLUMNS)


SHEETS: Final[Mapping[SheetKind, Sheet]] = {
    SheetKind.EMBASSY_SESSION: Sheet(
        (ReferralKind.CONSULAR_IDENTITY, ReferralKind.TRAVEL_DOCUMENT),
        (*IDENTITY[:2], "name_native_script", *IDENTITY[2:], "nationality"),
    ),
    SheetKind.CLINIC_AFTERNOON: Sheet(
        (ReferralKind.MEDICAL_ASSESSMENT, ReferralKind.FIT_TO_TRAVEL),
        (*IDENTITY, "phone", "languages"),
        Compartment.MED,
    ),
    SheetKind.EXIT_LIST: Sheet((ReferralKind.EXIT_PERMIT,), (*IDENTITY, "nationality", "document", "flight")),
    SheetKind.RECEPTION_DESK: Sheet(
        (ReferralKind.RECEPTION, ReferralKind.MEDICAL_HANDOVER, ReferralKind.CHILD_HANDOVER),
        (*IDENTITY, "nationality", "phone", "languages", "flight"),
        Compartment.MED,
    ),
}

LISTED_KINDS: Final = frozenset(kind for sheet in SHEETS.values() for kind in sheet.kinds)


# Row codes: short enough to type from paper, meaningless to others, and with a check character

ALPHABET: Final = "123456789ABCDEFGHJKMNPQRSTVWXYZ"  # a prime number of characters, without lookalikes

CODE_LENGTH: Final = 8

LOOKALIKES: Final = str.maketrans({"I": "1", "L": "1"})


def row_code(body: str) -> str:
    """Returns a code: seven characters and the check character."""
    return body + ALPHABET[_check_position(body)]


def printed_code(code: str) -> str:
    """Returns a code as it is printed, in two groups of four."""
    return f"{code[:4]}-{code[4:]}"


def parse_code(text: str) -> str | None:
    """Returns the code in a typed text, or ``None`` if a character is wrong."""
    code = "".join(character for character in text.upper() if character.isalnum()).translate(LOOKALIKES)
    known = len(code) == CODE_LENGTH and all(character in ALPHABET for character in code)
    return code if known and ALPHABET[_check_position(code[:-1])] == code[-1] else None


def _check_position(body: str) -> int:
    """Returns the position of the check character, which detects one wrong or two transposed characters."""
    total = sum(position * ALPHABET.index(character) for position, character in enumerate(body, 1))
    return total % len(ALPHABET)


_LISTABLE: Final = frozenset(
    {ReferralStatus.SENT, ReferralStatus.ACKNOWLEDGED, ReferralStatus.ACCEPTED, ReferralStatus.IN_PROGRESS}
    | {ReferralStatus.ON_HOLD}
)


def listing_blocked_by(case: Case, referral: Referral) -> str | None:
    """Returns the rule that keeps a referral off every sheet, or ``None``.

    It is a rule of the referral's status or kind, or one that blocks sending to its partner.
    """
    if referral.asked_kind not in LISTED_KINDS:
        return "REFERRAL.NOT_ON_SHEETS"
    if case.closed or referral.over:
        return "REFERRAL.OVER"
    if referral.status not in _LISTABLE:
        return "REFERRAL.NOT_SENT"
    return sending_blocked_by(case, referral)


def list_referral(case: Case, order: ListReferral, _ctx: Context) -> Iterator[Event]:
    """Lists a referral on a sheet. Listing discloses personal data, so it is checked and recorded like sending."""
    referral = case.referrals.get(order.referral_id)
    if referral is None:
        raise Rejected(
            "REFERRAL.UNKNOWN",
            f"this case has no referral {order.referral_id}; check the referral id",
            field="referral_id",
        )
    if rule := listing_blocked_by(case, referral):
        raise Rejected(rule, "this rule keeps the referral off the sheet; it is omitted", field="referral_id")
    yield ReferralListed(
        referral_id=referral.referral_id,
        kind=referral.kind,
        partner_id=referral.partner_id,
        sheet_id=order.sheet_id,
    )
    yield disclosure(case, referral)
