"""What went wrong, as an exit code and a next step. Known by name, so that nothing has to be imported to tell."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, Final

from cli.output import Code, Failed

START: Final = "awda up --detach"

DOCTOR: Final = "awda doctor"

KNOWN: Final[Mapping[str, tuple[Code, str]]] = {
    "NoSuchStream": (Code.NOT_FOUND, "awda case list"),
    "UnknownPartner": (Code.NOT_FOUND, "awda partner list"),
    "UnknownKey": (Code.NOT_FOUND, "awda partner key list PARTNER"),
    "NoSuchView": (Code.NOT_FOUND, "awda projection list"),
    "Unusable": (Code.USAGE, "awda import cases --help"),
    "NotStrict": (Code.USAGE, "give one JSON object, in a file or on standard input with -"),
    "WrongSetting": (Code.USAGE, "awda doctor"),
    "WrongFace": (Code.USAGE, "correct the setting, or unset it"),
    "BadKey": (Code.USAGE, "awda partner key add --help"),
    "ClockRuns": (Code.REFUSED, "awda demo run, in a home of its own"),
    "Backwards": (Code.REFUSED, "awda demo clock +1d"),
    "AlreadyRunning": (Code.CONFLICT, "awda status, or awda down first"),
    "TooManyKeys": (Code.CONFLICT, "awda partner key list PARTNER"),
    "KeyEnded": (Code.CONFLICT, "awda partner key add PARTNER"),
    "NumberTaken": (Code.CONFLICT, "awda movement list"),
    "Busy": (Code.CONFLICT, "the same again in a minute"),
    "SchemaDrift": (Code.CONFLICT, "put the migration back as it was, then awda db migrate"),
    "BadMasterKey": (Code.DOWN, "set AWDA_MASTER_KEY to the key of this database, or AWDA_HOME to its home"),
    "Unfit": (Code.DOWN, DOCTOR),
    "CannotStart": (Code.DOWN, DOCTOR),
    "RPCError": (Code.DOWN, DOCTOR),
    "ConnectionDoesNotExistError": (Code.DOWN, DOCTOR),
    "InterfaceError": (Code.DOWN, DOCTOR),
    "PostgresConnectionError": (Code.DOWN, DOCTOR),
    "OperatorInterventionError": (Code.DOWN, DOCTOR),
    "InvalidAuthorizationSpecificationError": (Code.DOWN, "check AWDA_DATABASE_URL"),
    "UndefinedTableError": (Code.DOWN, "awda db migrate"),
    "TimeoutError": (Code.DOWN, DOCTOR),
    "ConnectionError": (Code.DOWN, START),
}

DECLINED: Final[Mapping[str, tuple[Code, str]]] = {
    "not-found": (Code.NOT_FOUND, "awda case list"),
    "number-taken": (Code.CONFLICT, "another number, or a message to the one that exists"),
    "conflict": (Code.CONFLICT, "awda partner quarantine list"),
    "key-reused": (Code.CONFLICT, "a new --key for a new message"),
    "bad-key": (Code.USAGE, "--key with a UUID, or none at all"),
    "too-large": (Code.USAGE, "a smaller file"),
    "media-type": (Code.USAGE, "a PDF, or a JPEG, PNG or TIFF picture"),
    "bad-user": (Code.USAGE, "--as with a user's name"),
}
"""What is turned away at the desk, by its stable word. Everything else there is refused by a rule."""


def failed(fault: BaseException) -> Failed:
    """The end of the command, for any fault."""
    if isinstance(fault, Failed):
        return fault
    if type(fault).__name__ == "Declined":
        return declined(fault)
    names = [each.__name__ for each in type(fault).__mro__]
    code, todo = next((KNOWN[name] for name in names if name in KNOWN), (Code.UNEXPECTED, DOCTOR))
    if code is Code.UNEXPECTED and isinstance(fault, FileNotFoundError | ConnectionRefusedError):
        code, todo = Code.DOWN, START
    if code is Code.UNEXPECTED and "AWDA_TRACE" in os.environ:
        raise fault
    told = str(fault) or type(fault).__name__
    return Failed(code, f"{names[0]}: {told}" if code is Code.UNEXPECTED else told, todo)


def declined(fault: Any) -> Failed:
    """The desk turned a message away: each flaw on a line, with where it is and the value."""
    code, todo = DECLINED.get(fault.problem, (Code.REFUSED, "correct the message and send it again"))
    lines = [fault.detail if not fault.flaws else f"The message was refused ({fault.rule})."]
    lines += [f"  {flaw.pointer or '/'}: {flaw.message}{_shown(flaw.value)}" for flaw in fault.flaws]
    return Failed(code, "\n".join(lines), todo)


def _shown(value: object) -> str:
    return "" if value is None else f" (given: {value!r})"
