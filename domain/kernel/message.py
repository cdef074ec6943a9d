"""The base class of every message, and the registry that finds a message class by its name."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field

Text = Annotated[str, Field(min_length=1, max_length=2000)]

Word = Annotated[str, Field(min_length=1, max_length=120)]

OutcomeCode = Annotated[str, Field(pattern="^[A-Z][A-Z0-9_]{1,60}$")]


class Message(BaseModel):
    """A command or report that a stream receives.

    Unknown fields are rejected, so that a misspelled field is not lost.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    FROM: ClassVar[str] = "staff"
    """Who may send it: ``staff``, ``partner``, ``file`` (staff, with an uploaded file), ``letter`` (another stream),
    or ``system`` (a delivery)."""
    TO: ClassVar[str] = "case"

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        super().__pydantic_init_subclass__(**kwargs)
        if cls.__name__ in MESSAGES:
            raise TypeError(f"message {cls.__name__} is already declared")
        MESSAGES[cls.__name__] = cls


MESSAGES: dict[str, type[Message]] = {}
