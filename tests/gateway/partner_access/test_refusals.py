"""Every rule that keeps a referral from its partner has a sentence with the next step."""

from __future__ import annotations

import pytest

from domain.kernel.vocabulary import HoldType, Purpose
from domain.referral.nationality_change import ASK_FIRST
from gateway.partner_access.refusals import explain

RULES = [
    *("CASE.CLOSED", "CASE.ERASED", "CASE.UNSETTLED", "ERASED", "LOG.UNREADABLE", "NOT_RECORDED_YET"),
    *("PARTNER.INACTIVE", "REFERRAL.NOT_ON_SHEETS", "REFERRAL.NOT_SENT", "REFERRAL.OVER", ASK_FIRST),
    *(f"HOLD.{hold}" for hold in HoldType),
    *(f"CONSENT.{purpose}" for purpose in Purpose),
]


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_is_explained_in_words_with_a_next_step(rule: str) -> None:
    reason, _, next_step = explain(rule).partition("; ")
    assert reason
    assert next_step
    assert rule not in explain(rule)


def test_a_consent_and_a_hold_are_named_in_words() -> None:
    assert "(share embassy)" in explain("CONSENT.SHARE_EMBASSY")
    assert "a hold (contact lost)" in explain("HOLD.CONTACT_LOST")


def test_an_unknown_rule_is_returned_as_it_is() -> None:
    assert explain("SOME.OTHER_RULE") == "SOME.OTHER_RULE"
