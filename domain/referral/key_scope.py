"""What one key of a partner may speak for: a clinic's laboratory reports no embassy's outcome."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from domain.kernel.vocabulary import STATEMENTS, ReferralKind, SignalType

NOT_FOR_THIS: Final = "KEY_NOT_FOR_THIS"
"""Why a message is set aside that is authentic, and not this key's to say. Its sender is told nothing of it."""


@dataclass(frozen=True, slots=True)
class KeyScope:
    """Kinds of referral and types of signal; ``None`` is all that the partner itself may speak of."""

    kinds: frozenset[ReferralKind] | None = None
    signals: frozenset[SignalType] | None = None

    @property
    def limited(self) -> bool:
        return self.kinds is not None or self.signals is not None

    def speaks_of(self, kind: ReferralKind | None) -> bool:
        return self.kinds is None or kind in self.kinds

    def permits(self, kind: ReferralKind | None, signal: SignalType) -> bool:
        """Whether a signal on a referral of that kind may come under this key; ``None`` is a kind nobody can read.

        What the person says through a partner passes under every key: a wish not to travel is stopped by no form
        that somebody filled in wrongly (rule SIGNAL.STATEMENT).
        """
        if signal in STATEMENTS:
            return True
        return self.speaks_of(kind) and (self.signals is None or signal in self.signals)


EVERYTHING: Final = KeyScope()
