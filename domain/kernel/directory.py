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
"""What is done in the country of return, in its working week."""


@dataclass(frozen=True)
class Partner:
    """An organisation that may be asked: which kinds of referral it takes, for which country of return."""

    partner_id: str
    kinds: frozenset[ReferralKind]
    country: str | None = None
    mandatory_reporting: bool = False
    """Whether it must report births, pregnancies, rape or stay to authorities (domain.md 00, 11)."""
    works_in: str | None = None
    """The country whose working week it keeps, where that is not the usual one."""

    @property
    def calendar(self) -> Calendar:
        """Who receives people works in the country of return; everybody else, embassies included, in Libya."""
        return calendar_of(self.works_in or (self.country if self.kinds & ABROAD else None))


@dataclass(frozen=True)
class Directory:
    """What is known outside the cases today: partners, announced holidays, and return advisories."""

    partners: Mapping[str, Partner] = field(default_factory=dict)
    holidays: Mapping[str, frozenset[date]] = field(default_factory=dict)
    """Those announced since the calendars were published, by country (ISO 3166, alpha-3)."""
    advisories: tuple[Advisory, ...] = ()
    """What is advised today about countries and parts of them."""

    def get(self, partner_id: str) -> Partner | None:
        return self.partners.get(partner_id)

    def for_kind(
        self, kind: ReferralKind, country: str | None, *, without: frozenset[str] = frozenset()
    ) -> Partner | None:
        """Who is asked by default: a partner for that country before one without a country; by id among equals.

        Never one that the person has excluded, nor one that must report people to authorities.
        """
        able = [partner for partner in self.partners.values() if kind in partner.kinds]
        fitting = [partner for partner in able if partner.country in (country, None)]
        willing = [one for one in fitting if not one.mandatory_reporting and one.partner_id not in without]
        return min(willing, key=lambda partner: (partner.country is None, partner.partner_id), default=None)

    def published(self, partner_id: str) -> Calendar:
        """When that partner works by the published calendars; one that is gone works in Libya's days."""
        partner = self.get(partner_id)
        return partner.calendar if partner else calendar_of(None)

    def calendar(self, partner_id: str) -> Calendar:
        """When that partner works, as known today."""
        calendar = self.published(partner_id)
        return calendar.with_holidays(self.holidays.get(calendar.country, frozenset()))
