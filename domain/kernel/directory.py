"""What is known outside the cases today: partners, announced holidays and return advisories."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Final

from domain.kernel.advisory import Advisory
from domain.kernel.vocabulary import ReferralKind
from domain.kernel.working_time import Calendar, calendar_of

ABROAD: Final = frozenset(
    {
        ReferralKind.RECEPTION,
        ReferralKind.CHILD_HANDOVER,
        ReferralKind.REINTEGRATION_COUNSELLING,
        ReferralKind.REINTEGRATION_SERVICE,
        ReferralKind.PROCUREMENT,
        ReferralKind.FAMILY_TRACING,
        ReferralKind.FAMILY_ASSESSMENT,
        ReferralKind.SAFETY_ASSESSMENT,
    }
)
"""Kinds of referral that are carried out in the country of return, in its working week."""


@dataclass(frozen=True)
class Partner:
    """A partner organisation: the kinds of referral it accepts, and the country of return it serves."""

    partner_id: str
    kinds: frozenset[ReferralKind]
    country: str | None = None
    mandatory_reporting: bool = False
    """Whether it must report births, pregnancies, rape or stay to authorities (rule PARTNER.MANDATORY_REPORTING)."""
    works_in: str | None = None
    """The country whose working week it keeps, if that is not the default."""

    @property
    def calendar(self) -> Calendar:
        """Returns its working calendar.

        The country of return for reception partners, Libya for all others and embassies.
        """
        return calendar_of(self.works_in or (self.country if self.kinds & ABROAD else None))


@dataclass(frozen=True)
class Directory:
    """The partners, announced holidays and return advisories that are known today."""

    partners: Mapping[str, Partner] = field(default_factory=dict)
    holidays: Mapping[str, frozenset[date]] = field(default_factory=dict)
    """Holidays announced since the calendars were published, by country (ISO 3166-1 alpha-3)."""
    advisories: tuple[Advisory, ...] = ()
    """The return advisories in force today."""

    def get(self, partner_id: str) -> Partner | None:
        return self.partners.get(partner_id)

    def for_kind(
        self, kind: ReferralKind, country: str | None, *, without: frozenset[str] = frozenset()
    ) -> Partner | None:
        """Returns the default partner for a kind of referral, or ``None``.

        A partner for that country is preferred to one without a country; among equals the smallest id decides.
        A partner that the person excluded, or that must report people to authorities, is never chosen by default.
        """
        able = [partner for partner in self.partners.values() if kind in partner.kinds]
        fitting = [partner for partner in able if partner.country in (country, None)]
        willing = [one for one in fitting if not one.mandatory_reporting and one.partner_id not in without]
        return min(willing, key=lambda partner: (partner.country is None, partner.partner_id), default=None)

    def published(self, partner_id: str) -> Calendar:
        """Returns the published calendar of a partner; a partner that is no longer registered has Libya's."""
        partner = self.get(partner_id)
        return partner.calendar if partner else calendar_of(None)

    def calendar(self, partner_id: str) -> Calendar:
        """Returns the calendar of a partner with the holidays announced since."""
        calendar = self.published(partner_id)
        return calendar.with_holidays(self.holidays.get(calendar.country, frozenset()))
