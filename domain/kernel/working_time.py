"""Working time: weekends and holidays by country, and deadlines counted in working days.

A deadline in working days ends at 17:00 local time on the last of them (rule CALENDAR.WORKING_DAYS). Hours and calendar
days count continuously. Calendars are versioned data: a holiday announced later moves open deadlines, never past ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta, timezone
from typing import Final, Literal

FRIDAY, SATURDAY, SUNDAY = 4, 5, 6

CLOSING_TIME: Final = time(17, 0)

CLOCK: Final[Mapping[str, str]] = {"min": "minutes", "h": "hours", "d": "days"}
"""Units that count continuously, unlike working days."""


@dataclass(frozen=True)
class Span:
    """A length of time: clock minutes (``min``) or hours (``h``), calendar days (``d``) or working days (``wd``)."""

    amount: int
    unit: Literal["min", "h", "d", "wd"]

    def __str__(self) -> str:
        return f"{self.amount} {self.unit}"


def minutes(amount: int) -> Span:
    return Span(amount, "min")


def hours(amount: int) -> Span:
    return Span(amount, "h")


def days(amount: int) -> Span:
    return Span(amount, "d")


def working_days(amount: int) -> Span:
    return Span(amount, "wd")


@dataclass(frozen=True)
class Calendar:
    """A country's working calendar: offset from UTC in hours, weekend days (Monday is 0), holidays."""

    country: str
    utc_offset: int
    weekend: frozenset[int]
    holidays: frozenset[date] = frozenset()

    @property
    def zone(self) -> timezone:
        return timezone(timedelta(hours=self.utc_offset))

    def works(self, day: date) -> bool:
        """Returns whether offices are open on a day."""
        return day.weekday() not in self.weekend and day not in self.holidays

    def after(self, start: datetime, span: Span) -> datetime:
        """Returns when a span that begins at ``start`` ends (both UTC)."""
        if span.unit in CLOCK:
            return start + timedelta(**{CLOCK[span.unit]: span.amount})
        day = start.astimezone(self.zone).date()
        for _ in range(span.amount):
            day = self._next_working_day(day)
        return self._at(day, CLOSING_TIME)

    @staticmethod
    def before(end: datetime, span: Span) -> datetime:
        """Returns when a span that ends at ``end`` began (both UTC). Raises ``ValueError`` for working days."""
        if span.unit not in CLOCK:
            raise ValueError(f"{span} before a moment is not defined")
        return end - timedelta(**{CLOCK[span.unit]: span.amount})

    def next_time(self, after: datetime, clock: time) -> datetime:
        """Returns the next working day's occurrence of a local time, strictly after ``at`` (UTC)."""
        day = after.astimezone(self.zone).date()
        if not self.works(day) or self._at(day, clock) <= after:
            day = self._next_working_day(day)
        return self._at(day, clock)

    def with_holidays(self, announced: frozenset[date]) -> Calendar:
        """Returns the calendar with further holidays."""
        return replace(self, holidays=self.holidays | announced) if announced else self

    def _at(self, day: date, clock: time) -> datetime:
        return datetime.combine(day, clock, self.zone).astimezone(UTC)

    def _next_working_day(self, day: date) -> date:
        day += timedelta(days=1)
        while not self.works(day):
            day += timedelta(days=1)
        return day


def _dates(*days: str) -> frozenset[date]:
    return frozenset(date.fromisoformat(day) for day in days)


LIBYA: Final = Calendar(
    "LBY",
    utc_offset=2,
    weekend=frozenset({FRIDAY, SATURDAY}),
    # Dates of lunar feasts are estimates until they are announced; an announcement is a new edition.
    holidays=_dates(
        "2026-02-17", "2026-03-20", "2026-03-21", "2026-03-22", "2026-05-01", "2026-05-26", "2026-05-27",
        "2026-05-28", "2026-05-29", "2026-06-17", "2026-08-26", "2026-09-16", "2026-10-23", "2026-12-24",
        "2027-02-17", "2027-03-09", "2027-03-10", "2027-03-11", "2027-05-01", "2027-05-15", "2027-05-16",
        "2027-05-17", "2027-05-18", "2027-06-06", "2027-08-15", "2027-09-16", "2027-10-23", "2027-12-24",
    ),
)  # fmt: skip

SATURDAY_SUNDAY: Final = frozenset({SATURDAY, SUNDAY})

UTC_OFFSETS: Final[Mapping[str, int]] = {
    "NGA": 1, "MLI": 0, "NER": 1, "BGD": 6, "GMB": 0, "GIN": 0, "BFA": 0, "SEN": 0, "GHA": 0, "CIV": 0,
    "TCD": 1, "CMR": 1, "SLE": 0, "PAK": 5, "MAR": 1, "ETH": 3, "SOM": 3, "BEN": 1, "TGO": 0, "LBR": 0, "GNB": 0,
}  # fmt: skip

CALENDARS: Final[Mapping[str, Calendar]] = {
    "LBY": LIBYA,
    "SDN": Calendar("SDN", 2, frozenset({FRIDAY, SATURDAY})),
    "EGY": Calendar("EGY", 2, frozenset({FRIDAY, SATURDAY})),
    **{country: Calendar(country, offset, SATURDAY_SUNDAY) for country, offset in UTC_OFFSETS.items()},
}


def calendar_of(country: str | None) -> Calendar:
    """Returns the calendar of a country, or Libya's if the country has none."""
    return CALENDARS.get(country or "LBY", LIBYA)
