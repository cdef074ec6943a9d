"""Sheets: a list that goes to a partner on paper or as a spreadsheet, and comes back filled in.

One row is one referral. Out goes the recipient's minimum data, in here comes what any signal may say, and both are
tables: which kinds stand on which sheet, which columns leave, which cells return, which outcomes can be ticked.
A sheet lies on a desk where many people see it. So nothing stands on one whose very presence would tell something: a
protection handover is asked for by a message of its own, and a person who is protected is listed like anybody else.
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
from domain.referral import outcomes as answers
from domain.referral.requests import disclosure, why_not_send


class SheetKind(StrEnum):
    EMBASSY_SESSION = "embassy-session"
    CLINIC_AFTERNOON = "clinic-afternoon"
    EXIT_LIST = "exit-list"
    RECEPTION_DESK = "reception-desk"


class CellType(StrEnum):
    """What is written in a cell that comes back."""

    TEXT = "TEXT"
    NUMBER = "NUMBER"
    """The number of a paper: the same whichever digits it is written in."""
    DAY = "DAY"
    """A day that has been."""
    COMING = "COMING"
    """A day that may lie ahead."""
    MOMENT = "MOMENT"
    """A day that has been, perhaps with the time."""
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
"""The cells that come back beside the result, and what each holds."""

RESULT, NOTE, WITHDRAWAL, CONCERN = "result", "note", "withdrawal", "concern"

STATEMENT_COLUMNS: Final[Mapping[str, SignalType]] = {
    WITHDRAWAL: SignalType.WITHDRAWAL_REPORTED,
    CONCERN: SignalType.CONCERN_REPORTED,
}
"""What the person says, in every row of every sheet. Only what restricts: no sheet can say that somebody agrees."""


@dataclass(frozen=True)
class SheetOutcome:
    """One result that can be ticked. ``permits``: it brings the person nearer to travelling, so nothing may lack."""

    code: str
    signal: SignalType = SignalType.COMPLETED
    permits: bool = False
    needs: frozenset[str] = frozenset()

    @property
    def outcome_code(self) -> str | None:
        """The code that the signal carries; an answer that is no outcome carries none."""
        return None if self.code in (SignalType.ACCEPTED, SignalType.REJECTED) else self.code


@dataclass(frozen=True)
class SheetOutcomes:
    """What may be answered about one kind of referral; ``cells`` are its columns and their names in the payload."""

    outcomes: tuple[SheetOutcome, ...]
    cells: Mapping[str, str]

    def outcome(self, code: str) -> SheetOutcome | None:
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
"""Outcomes that permit, and the cells without which they say too little on paper."""

PAUSES: Final = frozenset({"FEE_REQUIRED", "MORE_INFO"})
"""Outcomes that go on only when we have done something: a sheet tells them as a pause."""

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
"""The cells of each kind that stands on a sheet, and what they are called in a signal's payload."""


def _outcomes(kind: ReferralKind) -> Iterator[SheetOutcome]:
    """What the table of payloads knows of a kind; and a bare yes or no where it has no code of its own."""
    carried, needed = answers.OUTCOMES[kind].carried, PERMITS[kind]
    for signal in (SignalType.ACCEPTED, SignalType.REJECTED, SignalType.COMPLETED, SignalType.PROGRESS):
        for code in carried[signal]:
            told = SignalType.PAUSED if signal is SignalType.PROGRESS and code in PAUSES else signal
            yield SheetOutcome(code, told, code in needed, frozenset(needed.get(code, ())))
    for signal in (SignalType.ACCEPTED, SignalType.REJECTED):
        if not carried[signal]:
            yield SheetOutcome(signal.value, signal)


ANSWERS: Final = {kind: SheetOutcomes(tuple(_outcomes(kind)), cells) for kind, cells in COLUMNS.items()}
"""What each kind of referral can be answered with on a sheet."""

IDENTITY: Final = ("family_name", "given_names", "sex", "date_of_birth")


@dataclass(frozen=True)
class Sheet:
    """One kind of sheet. ``shows`` are the columns that leave, of which each row has what its recipient may see."""

    kinds: tuple[ReferralKind, ...]
    shows: tuple[str, ...]
    compartment: Compartment = Compartment.GEN
    """Under which keys a scan of it is kept."""

    @property
    def returns(self) -> tuple[str, ...]:
        """The columns that come back, in the order in which they are filled in. Every answer has a date."""
        asked = {"date", *(column for kind in self.kinds for column in ANSWERS[kind].cells)}
        return (RESULT, *(column for column in CELLS if column in asked), NOTE, *STATEMENT_COLUMNS)


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


# Row codes: short enough to be typed from paper, opaque, and with a sign that shows a slip of the pen

SIGNS: Final = "123456789ABCDEFGHJKMNPQRSTVWXYZ"  # a prime number of them, none easily taken for another

CODE_LENGTH: Final = 8

MISREAD: Final = str.maketrans({"I": "1", "L": "1"})


def row_code(body: str) -> str:
    """A code of seven signs and the one that checks them."""
    return body + SIGNS[_checked(body)]


def spaced(code: str) -> str:
    """A code as it is printed."""
    return f"{code[:4]}-{code[4:]}"


def read_code(text: str) -> str | None:
    """The code that somebody typed, or nothing if a sign of it is wrong."""
    code = "".join(sign for sign in text.upper() if sign.isalnum()).translate(MISREAD)
    known = len(code) == CODE_LENGTH and all(sign in SIGNS for sign in code)
    return code if known and SIGNS[_checked(code[:-1])] == code[-1] else None


def _checked(body: str) -> int:
    """Sees one wrong sign, and two that have changed places."""
    return sum(place * SIGNS.index(sign) for place, sign in enumerate(body, 1)) % len(SIGNS)


WAITING: Final = frozenset(
    {ReferralStatus.SENT, ReferralStatus.ACKNOWLEDGED, ReferralStatus.ACCEPTED, ReferralStatus.IN_PROGRESS}
    | {ReferralStatus.ON_HOLD}
)


def why_not_list(case: Case, referral: Referral) -> str | None:
    """What keeps a referral off every sheet: it is not awaited, or its partner may be told nothing now."""
    if referral.asked_kind not in LISTED_KINDS:
        return "REFERRAL.NOT_ON_SHEETS"
    if case.closed or referral.over:
        return "REFERRAL.OVER"
    if referral.status not in WAITING:
        return "REFERRAL.NOT_SENT"
    return why_not_send(case, referral)


def list_referral(case: Case, order: ListReferral, _ctx: Context) -> Iterator[Event]:
    """Listing tells the partner about the person, so it is guarded and recorded as sending is."""
    referral = case.referrals.get(order.referral_id)
    if referral is None:
        raise Rejected("REFERRAL.UNKNOWN", f"this case has no referral {order.referral_id}", field="referral_id")
    if why := why_not_list(case, referral):
        raise Rejected(why, "it is left off the sheet", field="referral_id")
    yield ReferralListed(
        referral_id=referral.referral_id,
        kind=referral.kind,
        partner_id=referral.partner_id,
        sheet_id=order.sheet_id,
    )
    yield disclosure(case, referral)
