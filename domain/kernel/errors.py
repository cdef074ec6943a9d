"""The errors that a rule may raise."""

from __future__ import annotations


class DomainError(Exception):
    """The base class of every outcome of a rule other than events."""


class Rejected(DomainError):  # noqa: N818 (the ordinary answer of a rule, not a fault of the program)
    """A rule rejected the message. ``rule`` is its code; ``detail`` names the value and the next step."""

    def __init__(self, rule: str, detail: str, *, field: str | None = None, failures: tuple[str, ...] = ()) -> None:
        super().__init__(f"{rule}: {detail}")
        self.rule, self.detail, self.field, self.failures = rule, detail, field, failures


class TooEarly(DomainError):  # noqa: N818 (the message waits; nothing has failed)
    """The message arrived just before its stage was opened. It stays pending until the stage is open."""


class Unroutable(DomainError):  # noqa: N818 (the message is quarantined; nothing has failed)
    """The message needs a person's decision before it has any effect. It is quarantined, never dropped."""

    def __init__(self, cause: str, detail: str) -> None:
        super().__init__(f"{cause}: {detail}")
        self.cause, self.detail = cause, detail
