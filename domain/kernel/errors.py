"""The errors that a rule may raise."""

from __future__ import annotations


class DomainError(Exception):
    """The base class of every outcome of a rule other than events."""


class Rejected(DomainError):  # noqa: N818 (the ordinary answer of a rule, not a fault of the program)
    """A rule says no. ``rule`` is its name, ``detail`` says with which value and what to do next."""

    def __init__(self, rule: str, detail: str, *, field: str | None = None, failures: tuple[str, ...] = ()) -> None:
        super().__init__(f"{rule}: {detail}")
        self.rule, self.detail, self.field, self.failures = rule, detail, field, failures


class TooEarly(DomainError):  # noqa: N818 (the message waits; nothing has failed)
    """Said a moment too early: the stage it belongs to may be opened and is about to be. The message waits."""


class Unroutable(DomainError):  # noqa: N818 (the message is quarantined; nothing has failed)
    """A message that a person must look at before it can have any effect: quarantined, never dropped."""

    def __init__(self, cause: str, detail: str) -> None:
        super().__init__(f"{cause}: {detail}")
        self.cause, self.detail = cause, detail
