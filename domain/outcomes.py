"""What a partner may answer, for those who build and read answers: partners' programmers, forms, mappings.

A signal with another outcome is still received and kept, and waits for a person (domain.md 6).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from domain.answers import ANSWERS
from domain.words import ReferralKind, SignalType

T = SignalType

SAYS: Final[Mapping[SignalType, str]] = {
    T.ACKNOWLEDGED: "The referral has arrived.",
    T.ACCEPTED: "We will do it.",
    T.REJECTED: "We will not do it; `reason` says why.",
    T.STARTED: "We have begun.",
    T.PROGRESS: "Something to know on the way; number these with `partner_seq`, so that none overtakes a later one.",
    T.PAUSED: "We cannot go on for now; `reason` says why, `until` until when.",
    T.RESUMED: "We go on.",
    T.COMPLETED: "We have done it, with this `outcome_code`. Enough by itself: missing steps are inferred.",
    T.FAILED: "We could not do it; `reason` says why.",
    T.PARTNER_CANCELLED: "We withdraw from it; `reason` says why.",
    T.AMENDED: "What we reported was wrong, and this holds instead; `supersedes_signal_id` names the signal.",
    T.RETRACTED: "What we reported was wrong, and nothing holds instead; `supersedes_signal_id` names the signal.",
    T.WITHDRAWAL_REPORTED: "The person says that they no longer want to return.",
    T.CONCERN_REPORTED: "The person, or what we saw, gives cause for concern about their safety.",
    T.CONTACT_CHANGED: "The person can be reached in another way.",
}


def outcomes_of(kind: ReferralKind) -> Mapping[SignalType, tuple[str, ...]]:
    """The outcomes of one kind of referral, by the signal that carries them."""
    return {signal: codes for signal, codes in ANSWERS[kind].carried.items() if codes}
