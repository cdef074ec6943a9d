"""The input and the result of a recording, as the workflows exchange them with the ``record`` activity."""

from __future__ import annotations

from uuid import UUID

from pydantic import BaseModel, ConfigDict

from domain.kernel.vocabulary import Stage
from domain.procedure import NEWEST


class RecordRequest(BaseModel):
    """Asks a recording to apply what is waiting for a stream, and to open the stages in ``open``."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    stream_id: UUID
    open: tuple[Stage, ...] = ()


class Progress(BaseModel):
    """The progress of a stream after a recording: all that its workflow needs to continue.

    ``done`` lists the finished stages, ``may_open`` the stages whose own rule allows them to open. ``waiting_on`` is a
    neutral code for what is missing, ``wait_s`` the seconds until the earliest deadline (``None``: no deadline).
    ``over``: the workflow can end. ``more``: further messages are waiting in the inbox.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    edition: str = NEWEST
    done: tuple[Stage, ...] = ()
    may_open: tuple[Stage, ...] = ()
    waiting_on: str = ""
    wait_s: float | None = None
    over: bool = False
    more: bool = False
    version: int = 0
