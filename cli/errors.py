"""What went wrong, as an exit code and a next step. Known by name, so that nothing has to be imported to tell."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, Final

from cli.output import CommandError, ExitCode

START: Final = "awda up --detach"

DOCTOR: Final = "awda doctor"

KNOWN: Final[Mapping[str, tuple[ExitCode, str]]] = {
    "UnknownStreamError": (ExitCode.NOT_FOUND, "awda case list"),
    "UnknownPartnerError": (ExitCode.NOT_FOUND, "awda partner list"),
    "UnknownKeyError": (ExitCode.NOT_FOUND, "awda partner key list PARTNER"),
    "UnknownProjectionError": (ExitCode.NOT_FOUND, "awda projection list"),
    "UnusableFileError": (ExitCode.USAGE, "awda import cases --help"),
    "StrictJsonError": (ExitCode.USAGE, "give one JSON object, in a file or on standard input with -"),
    "InvalidSettingError": (ExitCode.USAGE, "awda doctor"),
    "InvalidPublicAddressError": (ExitCode.USAGE, "correct the setting, or unset it"),
    "InvalidKeyError": (ExitCode.USAGE, "awda partner key add --help"),
    "RealClockError": (ExitCode.REFUSED, "awda demo run, in a home of its own"),
    "ClockBackwardsError": (ExitCode.REFUSED, "awda demo clock +1d"),
    "AlreadyRunningError": (ExitCode.CONFLICT, "awda status, or awda down first"),
    "TooManyKeysError": (ExitCode.CONFLICT, "awda partner key list PARTNER"),
    "KeyEndedError": (ExitCode.CONFLICT, "awda partner key add PARTNER"),
    "NumberTakenError": (ExitCode.CONFLICT, "awda movement list"),
    "RebuildInProgressError": (ExitCode.CONFLICT, "the same again in a minute"),
    "SchemaDriftError": (ExitCode.CONFLICT, "put the migration back as it was, then awda db migrate"),
    "InvalidMasterKeyError": (
        ExitCode.DOWN,
        "set AWDA_MASTER_KEY to the key of this database, or AWDA_HOME to its home",
    ),
    "UnfitServerError": (ExitCode.DOWN, DOCTOR),
    "ProcessStartError": (ExitCode.DOWN, DOCTOR),
    "RPCError": (ExitCode.DOWN, DOCTOR),
    "ConnectionDoesNotExistError": (ExitCode.DOWN, DOCTOR),
    "InterfaceError": (ExitCode.DOWN, DOCTOR),
    "PostgresConnectionError": (ExitCode.DOWN, DOCTOR),
    "OperatorInterventionError": (ExitCode.DOWN, DOCTOR),
    "InvalidAuthorizationSpecificationError": (ExitCode.DOWN, "check AWDA_DATABASE_URL"),
    "UndefinedTableError": (ExitCode.DOWN, "awda db migrate"),
    "TimeoutError": (ExitCode.DOWN, DOCTOR),
    "ConnectionError": (ExitCode.DOWN, START),
}

DECLINED: Final[Mapping[str, tuple[ExitCode, str]]] = {
    "not-found": (ExitCode.NOT_FOUND, "awda case list"),
    "number-taken": (ExitCode.CONFLICT, "another number, or a message to the one that exists"),
    "conflict": (ExitCode.CONFLICT, "awda partner quarantine list"),
    "key-reused": (ExitCode.CONFLICT, "a new --key for a new message"),
    "bad-key": (ExitCode.USAGE, "--key with a UUID, or none at all"),
    "too-large": (ExitCode.USAGE, "a smaller file"),
    "media-type": (ExitCode.USAGE, "a PDF, or a JPEG, PNG or TIFF picture"),
    "bad-user": (ExitCode.USAGE, "--as with a user's name"),
}
"""What is turned away at the desk, by its stable word. Everything else there is refused by a rule."""


def failed(fault: BaseException) -> CommandError:
    """The end of the command, for any fault."""
    if isinstance(fault, CommandError):
        return fault
    if type(fault).__name__ == "DeclinedError":
        return declined(fault)
    names = [each.__name__ for each in type(fault).__mro__]
    code, todo = next((KNOWN[name] for name in names if name in KNOWN), (ExitCode.UNEXPECTED, DOCTOR))
    if code is ExitCode.UNEXPECTED and isinstance(fault, FileNotFoundError | ConnectionRefusedError):
        code, todo = ExitCode.DOWN, START
    if code is ExitCode.UNEXPECTED and "AWDA_TRACE" in os.environ:
        raise fault
    told = str(fault) or type(fault).__name__
    return CommandError(code, f"{names[0]}: {told}" if code is ExitCode.UNEXPECTED else told, todo)


def declined(fault: Any) -> CommandError:
    """The desk turned a message away: each flaw on a line, with where it is and the value."""
    code, todo = DECLINED.get(fault.problem, (ExitCode.REFUSED, "correct the message and send it again"))
    lines = [fault.detail if not fault.flaws else f"The message was refused ({fault.rule})."]
    lines += [f"  {flaw.pointer or '/'}: {flaw.message}{_shown(flaw.value)}" for flaw in fault.flaws]
    return CommandError(code, "\n".join(lines), todo)


def _shown(value: object) -> str:
    return "" if value is None else f" (given: {value!r})"
