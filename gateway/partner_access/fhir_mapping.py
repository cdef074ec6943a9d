"""Maps referrals to FHIR R4 Tasks and updated Tasks to signals. Pure functions and tables; nothing is read or written.

Every status maps to one status of FHIR (rule REFERRAL.STATUS). The person's identity is mapped to a contained
Patient, and the other fields to
``Task.input``: the fields of the message that was sent to the partner, and no others.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import NAMESPACE_URL, UUID, uuid5

from audit.replay import iso_utc
from domain.kernel.vocabulary import ReferralStatus, SignalType
from gateway.intake.validation import FieldError
from gateway.partner_access.referral_view import PartnerReferral

Json = dict[str, Any]

URN: Final = "urn:awda:"

TOKEN, KIND, STATUS, SIGNAL, FIELD, PARTNER = (
    URN + name for name in ("referral-token", "referral-kind", "referral-status", "signal-type", "field", "partner")
)

SIGNALS: Final = uuid5(NAMESPACE_URL, "awda:fhir")

FHIR_ID: Final = re.compile(r"[A-Za-z0-9.-]{16,64}")

STATUS_OF: Final[Mapping[ReferralStatus, str]] = {
    ReferralStatus.DRAFT: "draft",
    ReferralStatus.SENT: "requested",
    ReferralStatus.ACKNOWLEDGED: "received",
    ReferralStatus.ACCEPTED: "accepted",
    ReferralStatus.IN_PROGRESS: "in-progress",
    ReferralStatus.ON_HOLD: "on-hold",
    ReferralStatus.COMPLETED: "completed",
    ReferralStatus.REJECTED: "rejected",
    ReferralStatus.FAILED: "failed",
    ReferralStatus.EXPIRED: "failed",
    ReferralStatus.CANCELLED: "cancelled",
    ReferralStatus.ENTERED_IN_ERROR: "entered-in-error",
}

IN_PROGRESS: Final = "in-progress"

SIGNAL_OF: Final[Mapping[str, SignalType]] = {
    "received": SignalType.ACKNOWLEDGED,
    "accepted": SignalType.ACCEPTED,
    IN_PROGRESS: SignalType.STARTED,
    "on-hold": SignalType.PAUSED,
    "completed": SignalType.COMPLETED,
    "rejected": SignalType.REJECTED,
    "failed": SignalType.FAILED,
    "cancelled": SignalType.PARTNER_CANCELLED,
}
"""The signal of each status that a partner may set. Only IOM sets the other statuses."""

GOING_ON: Final[Mapping[ReferralStatus, SignalType]] = {
    ReferralStatus.ON_HOLD: SignalType.RESUMED,
    ReferralStatus.IN_PROGRESS: SignalType.PROGRESS,
}
"""The signal of ``in-progress`` for a referral that was started before."""

GENDER: Final[Mapping[str, str]] = {"MALE": "male", "FEMALE": "female", "UNKNOWN": "unknown", "NOT_APPLICABLE": "other"}

DIGITS: Final[Mapping[str, int]] = {"YEAR": 4, "ESTIMATED": 4, "MONTH": 7}
"""How many characters of an ISO date are known, by precision."""

ENDED: Final = frozenset({SignalType.COMPLETED, SignalType.FAILED, SignalType.REJECTED, SignalType.PARTNER_CANCELLED})


# Referral to Task


def task_of(seen: PartnerReferral) -> Json:
    """Returns the Task that a partner reads."""
    person = seen.sent.get("person", {})
    patient = dict(_patient(person))
    task = {
        "resourceType": "Task",
        "id": id_of(seen.token),
        "meta": {"lastUpdated": iso_utc(seen.updated_at)},
        "contained": [{"resourceType": "Patient", "id": "person", **patient}] if patient else None,
        "identifier": [{"system": TOKEN, "value": seen.token}],
        "status": STATUS_OF[seen.status],
        "businessStatus": _concept(STATUS, seen.status),
        "intent": "order",
        "priority": "urgent" if seen.sent.get("urgent") else "routine",
        "code": _concept(KIND, seen.kind),
        "for": {"reference": "#person"} if patient else None,
        "authoredOn": seen.sent.get("sent_at"),
        "lastModified": iso_utc(seen.updated_at),
        "requester": {"display": "IOM Libya"},
        "owner": {"identifier": {"system": PARTNER, "value": seen.partner_id}},
        "restriction": _restriction(seen.sent.get("due", {})),
        "input": list(_inputs(person)) or None,
    }
    return {name: part for name, part in task.items() if part is not None}


def bundle_of(seen: Sequence[PartnerReferral], here: str, following: str | None) -> Json:
    """Returns a page of Tasks. ``here`` is its address; ``following`` is the token of the next page."""
    base, _, query = here.partition("?")
    parameters = [part for part in query.split("&") if part and not part.startswith("_after=")]
    links = [{"relation": "self", "url": here}]
    if following is not None:
        links.append({"relation": "next", "url": f"{base}?{'&'.join([*parameters, f'_after={id_of(following)}'])}"})
    entries = [_entry(each, base) for each in seen]
    return {"resourceType": "Bundle", "type": "searchset", "link": links, **({"entry": entries} if entries else {})}


def _entry(each: PartnerReferral, base: str) -> Json:
    return {"fullUrl": f"{base}/{id_of(each.token)}", "resource": task_of(each), "search": {"mode": "match"}}


def outcome_of(receipt: str) -> Json:
    """Returns the confirmation that an update was received. The Task shows what became of it."""
    issue = {"severity": "information", "code": "informational", "diagnostics": f"received; receipt {receipt}"}
    return {"resourceType": "OperationOutcome", "issue": [issue]}


def capabilities(version: str, date: str) -> Json:
    """Returns the CapabilityStatement of this server."""
    interactions = [{"code": code} for code in ("read", "search-type", "update")]
    parameters = [{"name": "status", "type": "token"}, {"name": "_lastUpdated", "type": "date"}]
    task = {"type": "Task", "interaction": interactions, "searchParam": parameters, "updateCreate": False}
    security = {"description": "Standard Webhooks signatures; see the guide for partners"}
    return {
        "resourceType": "CapabilityStatement",
        "status": "active",
        "date": date,
        "kind": "instance",
        "software": {"name": "Awda", "version": version},
        "implementation": {"description": "Referrals of the Voluntary Humanitarian Return programme, as Tasks"},
        "fhirVersion": "4.0.1",
        "format": ["json"],
        "rest": [{"mode": "server", "security": security, "resource": [task]}],
    }


def id_of(token: str) -> str:
    """Returns a token as a FHIR id. FHIR ids may contain dots, which tokens never do, but no underscores."""
    return token.replace("_", ".")


def token_of(task_id: str) -> str:
    return task_id.replace(".", "_")


def _concept(system: str, code: str) -> Json:
    return {"coding": [{"system": system, "code": str(code)}]}


def _restriction(due: Mapping[str, str]) -> Json | None:
    return {"period": {"end": due["complete"]}} if "complete" in due else None


def _patient(person: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    if names := list(_names(person)):
        yield "name", names
    if "phone" in person:
        yield "telecom", [{"system": "phone", "value": person["phone"]}]
    if "sex" in person:
        yield "gender", GENDER[person["sex"]]
    if "date_of_birth" in person:
        yield "birthDate", person["date_of_birth"][: DIGITS.get(person.get("dob_precision", "DAY"), 10)]
    if languages := person.get("languages"):
        yield "communication", [{"language": _concept("urn:ietf:bcp:47", language)} for language in languages]


def _names(person: Mapping[str, Any]) -> Iterator[Json]:
    name = {"family": person.get("family_name"), "given": [g] if (g := person.get("given_names")) else None}
    if any(name.values()):
        yield {"use": "official", **{part: value for part, value in name.items() if value}}
    if native := person.get("name_native_script"):
        yield {"text": native}


IN_PATIENT: Final = frozenset(
    {"family_name", "given_names", "name_native_script", "phone", "sex", "date_of_birth", "languages"}
)


def _inputs(person: Mapping[str, Any]) -> Iterator[Json]:
    for name, value in sorted(person.items()):
        if name in IN_PATIENT:
            continue
        parts = {f"{name}.{part}": each for part, each in value.items()} if isinstance(value, dict) else {name: value}
        for part, each in parts.items():
            yield {"type": _concept(FIELD, part), "valueString": str(each)}


# Task to signal


def signal_of(partner_id: str, message_id: str, task: Json) -> Json:
    """Returns the fields of the signal that an updated Task stands for.

    The result depends on the Task only, so a repetition is the same signal; what ``in-progress`` means for a started
    referral is decided with ``GOING_ON``. Requires that ``flaws_in`` finds no error.
    """
    signal = _signal(task)
    payload = dict(_outputs(task.get("output", [])))
    own = {name: payload.pop(name, None) for name in ("outcome_code", "supersedes_signal_id")}
    fields = {
        "signal_id": signal_id_of(partner_id, message_id),
        "referral_token": token_of(task["id"]),
        "partner_id": partner_id,
        "signal_type": str(signal),
        **own,
        "reason": _reason(task),
        "payload": payload,
        "occurred_at": _occurred_at(task, signal),
        "sent_at": task["lastModified"],
    }
    return {name: value for name, value in fields.items() if value not in (None, {})}


def flaws_in(task: Json, task_id: str) -> list[FieldError]:
    """Returns the errors that prevent a valid Task from being a partner's answer."""
    requirements: tuple[tuple[bool, str, str], ...] = (
        (task.get("id") == task_id, "/id", "must be the id in the address: use the same id in both"),
        (
            bool(FHIR_ID.fullmatch(task_id)),
            "/id",
            "must be the id of the Task that was read: read the Task again and keep its id",
        ),
        (_signal(task) is not None, "/status", f"must be a status that a partner may set: {', '.join(SIGNAL_OF)}"),
        (
            _moment(task.get("lastModified")) is not None,
            "/lastModified",
            "must be a date and time with a time zone, for example 2026-11-24T10:15:00+02:00",
        ),
    )
    return [FieldError(pointer, "fhir", message) for holds, pointer, message in requirements if not holds]


def goes_on(task: Json) -> bool:
    """Returns whether the Task has only the status ``in-progress``, whose signal depends on the earlier status."""
    return task.get("status") == IN_PROGRESS and _exact(task) is None


def signal_id_of(partner_id: str, message_id: str) -> str:
    """Returns the id of the signal: the message id if it is a UUID, else a UUID derived from it."""
    try:
        return str(UUID(message_id))
    except ValueError:
        return str(uuid5(SIGNALS, f"{partner_id}|{message_id}"))


def _signal(task: Json) -> SignalType | None:
    return _exact(task) or SIGNAL_OF.get(str(task.get("status")))


def _exact(task: Json) -> SignalType | None:
    """Returns the signal type in ``businessStatus``, for signals without a FHIR status, such as a withdrawal."""
    codings = task.get("businessStatus", {}).get("coding", [])
    codes = [coding.get("code") for coding in codings if coding.get("system") == SIGNAL]
    return SignalType(codes[0]) if codes and codes[0] in SignalType.__members__ else None


def _reason(task: Json) -> str | None:
    reason = task.get("statusReason", {})
    codes = [coding.get("display") or coding.get("code") for coding in reason.get("coding", [])]
    return reason.get("text") or next(filter(None, codes), None)


def _occurred_at(task: Json, signal: SignalType | None) -> str:
    """Returns when it happened: the end of the work if it has ended and the time is complete, else the last change."""
    end = task.get("executionPeriod", {}).get("end") if signal in ENDED else None
    return str(end) if _moment(end) is not None else str(task["lastModified"])


def _moment(text: Any) -> datetime | None:
    try:
        at = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return at if at.tzinfo else None


def _outputs(outputs: Sequence[Json]) -> Iterator[tuple[str, Any]]:
    """Yields the name and the value of each output."""
    for output in outputs:
        kind = output.get("type", {})
        codes = [coding.get("code") for coding in kind.get("coding", [])]
        name = next(filter(None, codes), None) or kind.get("text")
        value = next((part for key, part in output.items() if key.startswith("value")), None)
        if name:
            yield name, _plain(value)


READERS: Final[Mapping[str, Callable[[Json], Any]]] = {
    "coding": lambda concept: next((c.get("code") or c.get("display") for c in concept["coding"]), None),
    "text": lambda concept: concept["text"],
    "value": lambda amount: amount["value"],
}


def _plain(value: Any) -> Any:
    """Returns a value as signal payloads have it: the code of a concept, the number of a quantity."""
    if not isinstance(value, dict):
        return value
    return next((read(value) for part, read in READERS.items() if part in value), value)
