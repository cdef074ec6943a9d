"""Sentences for staff: why a partner may not be shown a referral now, and what to do next."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

_SENTENCES: Final[Mapping[str, str]] = {
    "CASE.CLOSED": "the case is closed; no further request can be sent for it",
    "CASE.ERASED": "the person's data has been erased; no further request can be sent",
    "ERASED": "the person's data has been erased; no further request can be sent",
    "CASE.UNSETTLED": "a message to this case is not recorded yet; try again in a few minutes",
    "NOT_RECORDED_YET": "the case did not record it in time; try again in a few minutes",
    "LOG.UNREADABLE": "part of the case's history cannot be read; run `awda verify` and report the findings",
    "NATIONALITY.ASK_FIRST": (
        "the person named another nationality; hold the private interview and record the voluntary return declaration "
        "again before this partner is contacted"
    ),
    "PARTNER.INACTIVE": "the partner is not active; choose another partner, or activate this one first",
    "REFERRAL.NOT_ON_SHEETS": "this kind of referral is never put on a sheet; send it to the partner in another way",
    "REFERRAL.NOT_SENT": "the referral has not been sent; send it first",
    "REFERRAL.OVER": "the referral has ended; create a new referral if the request is still needed",
}

_HOLD: Final = "HOLD."

_CONSENT: Final = "CONSENT."


def explain(rule: str) -> str:
    """Returns the reason and the next step for a rule that keeps a referral from its partner.

    An unknown rule is returned as it is.
    """
    if rule.startswith(_HOLD):
        return f"the case has a hold ({_words(rule, _HOLD)}); its owner must review it before the partner is contacted"
    if rule.startswith(_CONSENT):
        consent = _words(rule, _CONSENT)
        return f"the person's consent ({consent}) is not in force for this partner; ask the person and record it"
    return _SENTENCES.get(rule, rule)


def _words(rule: str, prefix: str) -> str:
    return rule.removeprefix(prefix).replace("_", " ").lower()
