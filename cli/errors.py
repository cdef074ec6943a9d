"""Maps exceptions to an exit code and a next step, by name, so that their modules need not be imported."""

from __future__ import annotations

import json
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
    "StrictJsonError": (ExitCode.USAGE, "give one JSON object, in a file or with - on standard input"),
    "InvalidSettingError": (ExitCode.USAGE, "awda doctor"),
    "InvalidPublicAddressError": (ExitCode.USAGE, "correct the setting, or remove it"),
    "InvalidKeyError": (ExitCode.USAGE, "awda partner key add --help"),
    "RealClockError": (ExitCode.REFUSED, "use a demo home: awda demo run"),
    "ClockBackwardsError": (ExitCode.REFUSED, "awda demo clock +1d"),
    "AlreadyRunningError": (ExitCode.CONFLICT, "awda status, or stop it first with awda down"),
    "TooManyKeysError": (ExitCode.CONFLICT, "awda partner key list PARTNER"),
    "KeyEndedError": (ExitCode.CONFLICT, "awda partner key add PARTNER"),
    "NumberTakenError": (ExitCode.CONFLICT, "awda movement list"),
    "RebuildInProgressError": (ExitCode.CONFLICT, "run the command again in a minute"),
    "SchemaDriftError": (ExitCode.CONFLICT, "restore the migration file, then run awda db migrate"),
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
    "number-taken": (ExitCode.CONFLICT, "choose another number, or send a message to the existing one"),
    "conflict": (ExitCode.CONFLICT, "awda partner quarantine list"),
    "key-reused": (ExitCode.CONFLICT, "use a new --key for a new message"),
    "bad-key": (ExitCode.USAGE, "give a UUID as --key, or leave the option out"),
    "too-large": (ExitCode.USAGE, "use a smaller file"),
    "media-type": (ExitCode.USAGE, "use a PDF, JPEG, PNG or TIFF file"),
    "refused": (ExitCode.REFUSED, "awda case show CASE"),
    "bad-user": (ExitCode.USAGE, "give a user name with --as"),
}
"""Next steps for messages that the intake declines, by problem slug. Any other slug is a refusal by a rule."""


def command_error(fault: BaseException) -> CommandError:
    """Returns the error that ends the command. With AWDA_TRACE set, raises an unexpected exception instead."""
    if isinstance(fault, CommandError):
        return fault
    if type(fault).__name__ == "DeclinedError":
        return declined_error(fault)
    names = [each.__name__ for each in type(fault).__mro__]
    code, todo = next((KNOWN[name] for name in names if name in KNOWN), (ExitCode.UNEXPECTED, DOCTOR))
    if code is ExitCode.UNEXPECTED and isinstance(fault, FileNotFoundError | ConnectionRefusedError):
        code, todo = ExitCode.DOWN, START
    if code is ExitCode.UNEXPECTED and "AWDA_TRACE" in os.environ:
        raise fault
    detail = str(fault) or type(fault).__name__
    message = f"Unexpected error ({names[0]}): {detail}" if code is ExitCode.UNEXPECTED else detail
    return CommandError(code, message, todo)


def declined_error(fault: Any) -> CommandError:
    """Returns the error for a message that the intake declined: one line for each field, with the value entered."""
    code, todo = DECLINED.get(fault.problem, (ExitCode.REFUSED, "correct the message and send it again"))
    lines = [fault.detail if not fault.flaws else f"The message was not accepted (rule {fault.rule})."]
    lines += [f"  {flaw.pointer or '/'}: {flaw.message}{_entered(flaw.value)}" for flaw in fault.flaws]
    return CommandError(code, "\n".join(lines), todo)


def _entered(value: object) -> str:
    return "" if value is None else f" (you entered {json.dumps(value, ensure_ascii=False, default=str)})"
