"""Scope of a partner key: the kinds of referral and types of signal that it may sign."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from domain.kernel.vocabulary import STATEMENTS, ReferralKind, SignalType

OUTSIDE_SCOPE: Final = "KEY_NOT_FOR_THIS"
"""The cause when an authentic message is outside the scope of its key. The sender is not informed of it."""


@dataclass(frozen=True, slots=True)
class KeyScope:
    """Kinds of referral and types of signal that a key may sign. ``None`` means no limit beyond the partner's own."""

    kinds: frozenset[ReferralKind] | None = None
    signals: frozenset[SignalType] | None = None

    @property
    def limited(self) -> bool:
        """Whether the key is limited at all."""
        return self.kinds is not None or self.signals is not None

    def covers(self, kind: ReferralKind | None) -> bool:
        """Returns whether the key may sign signals about a kind of referral."""
        return self.kinds is None or kind in self.kinds

    def permits(self, kind: ReferralKind | None, signal: SignalType) -> bool:
        """Returns whether the key may sign a signal of a type. ``None`` means that the kind is sealed or unknown.

        Statements of the person pass under every key: an incorrect key configuration must not stop a statement that
        the person does not want to travel (rule SIGNAL.STATEMENT).
        """
        if signal in STATEMENTS:
            return True
        return self.covers(kind) and (self.signals is None or signal in self.signals)


UNLIMITED: Final = KeyScope()
