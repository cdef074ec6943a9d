"""Judges a partner's signal as its case would, for rehearsals: from the signal alone, and without storing it.

No referral is looked up, so that a rehearsal discloses nothing about one. The signal is judged for the kind of referral
that the sender names, or for every kind that the partner receives.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from domain.commands.signal import ReceivePartnerSignal
from domain.kernel.policy import NEWEST
from domain.kernel.vocabulary import STATEMENTS, ReferralKind, SignalType
from domain.kernel.working_time import LIBYA
from domain.referral.key_scope import OUTSIDE_SCOPE, KeyScope
from domain.referral.outcomes import OUTCOMES, SchemaViolation, schema_violations
from gateway.intake.submission import DeclinedError
from gateway.intake.validation import FieldError, field_error, one_of, pointer, sentence

APPLIED: Final = "applied"

HELD: Final = "held_for_review"

KIND: Final = "referralkind"
"""The attribute of a CloudEvent that names the kind of referral. The inbox ignores it."""

WOULD_APPLY: Final = "The signal would be applied if the referral is open."

WOULD_RECORD: Final = (
    "The signal would be recorded as a statement of the person, whatever the status of the referral, "
    "and our staff would contact the person."
)

WOULD_HOLD: Final = "The signal would be accepted and held for review by our staff."

CORRECTIONS: Final = frozenset({SignalType.AMENDED, SignalType.RETRACTED})


@dataclass(frozen=True)
class Rehearsal:
    """The result of a rehearsal.

    ``kinds`` are the kinds of referral for which the signal was judged, ``errors`` the reasons why it would be held for
    review, and ``notes`` other information for its sender. ``says`` states the result if there are no errors.
    """

    kinds: tuple[ReferralKind, ...]
    errors: tuple[FieldError, ...] = ()
    notes: tuple[FieldError, ...] = ()
    says: str = WOULD_APPLY

    def json(self) -> dict[str, Any]:
        """Returns the members of the response."""
        return {
            "would_be": HELD if self.errors else APPLIED,
            "says": f"{WOULD_HOLD} {sentence(self.errors)}" if self.errors else self.says,
            "kinds": list(self.kinds),
            "errors": [error.json() for error in self.errors],
            "notes": [note.json() for note in self.notes],
        }


def kind_named(body: bytes) -> ReferralKind | None:
    """Returns the kind of referral that a verified event names. Raises ``DeclinedError`` if there is no such kind."""
    named = json.loads(body).get(KIND)
    if named is None or named in OUTCOMES:
        return None if named is None else ReferralKind(named)
    error = FieldError(f"/{KIND}", "enum", f"The event's {KIND} must be {one_of(sorted(OUTCOMES))}")
    raise DeclinedError("shape", sentence([error]), flaws=(error,))


def rehearse(
    fields: Mapping[str, Any],
    *,
    named: ReferralKind | None,
    received: Collection[ReferralKind],
    scopes: Collection[KeyScope],
    now: datetime,
) -> Rehearsal:
    """Returns how a case would decide on a signal whose schema has been checked.

    ``received`` are the kinds of referral for which the partner is registered, ``scopes`` those of the keys that
    signed, ``now`` the programme's time (UTC).
    """
    signal = ReceivePartnerSignal.model_validate_json(json.dumps(fields), strict=True)
    latest = LIBYA.after(now, NEWEST.in_force.clock_ahead)
    notes = tuple(_clock(signal, latest))
    if signal.signal_type in STATEMENTS:
        return Rehearsal((), notes=notes, says=WOULD_RECORD)
    asked = [named] if named else sorted(set(received) & set(OUTCOMES)) or sorted(OUTCOMES)
    judged = {kind: tuple(_errors(kind, signal, scopes, latest)) for kind in asked}
    fitting = tuple(kind for kind, errors in judged.items() if not errors)
    nearest = min(judged, key=lambda kind: (any(e.code == "OUTCOME" for e in judged[kind]), len(judged[kind])))
    errors = () if fitting else judged[nearest]
    if named and received and named not in received:
        notes = (*notes, FieldError(f"/{KIND}", "NOT_REGISTERED", f"You are not registered for referrals of {named}"))
    return Rehearsal(fitting or (nearest,), errors, (*notes, *_notes((fitting or (nearest,))[0], signal)))


def _errors(
    kind: ReferralKind, signal: ReceivePartnerSignal, scopes: Collection[KeyScope], latest: datetime
) -> Iterator[FieldError]:
    signal_type = signal.signal_type
    if not any(scope.permits(kind, signal_type) for scope in scopes):
        message = f"The key may not report {signal_type} on a referral of {kind}"
        yield FieldError("/data/signal_type", OUTSIDE_SCOPE, message)
    yield from (_described(kind, each, signal) for each in schema_violations(kind, signal, latest))
    if signal_type in CORRECTIONS:
        message = f"{signal_type} takes effect only after our staff have reviewed it"
        yield FieldError("/data/signal_type", "AMENDMENT", message)


def _described(kind: ReferralKind, violation: SchemaViolation, signal: ReceivePartnerSignal) -> FieldError:
    """Describes one violation of the schema of a kind by a signal."""
    if violation.error is not None:
        found = field_error(violation.error, "/data/payload", OUTCOMES[kind].payload)
        return FieldError(found.pointer, violation.rule, _in_payload(found.message), found.value)
    field = str(violation.path[-1])
    at, name = "/data" + pointer(violation.path), field.replace("_", " ")
    if violation.rule == "FUTURE":
        return FieldError(at, violation.rule, _in_payload(f"{name} must not be in the future"), signal.payload[field])
    if violation.rule == "MISSING":
        must = "must be true" if signal.payload.get(field) is False else "is required"
        return FieldError(at, violation.rule, _in_payload(f"{name} {must} with the outcome {violation.required[0]}"))
    value = signal.outcome_code if violation.rule == "OUTCOME" else signal.payload_version
    return FieldError(at, violation.rule, f"{name.capitalize()} {_allowed(violation.required, kind, signal)}", value)


def _allowed(allowed: tuple[str, ...], kind: ReferralKind, signal: ReceivePartnerSignal) -> str:
    if not allowed:
        return f"must be omitted with {signal.signal_type} on a referral of {kind}"
    return f"must be {one_of(allowed)}"


def _in_payload(message: str) -> str:
    return f"Payload: {message[:1].lower()}{message[1:]}"


def _clock(signal: ReceivePartnerSignal, latest: datetime) -> Iterator[FieldError]:
    if signal.occurred_at > latest:
        message = "Occurred at is in the future: the signal would take effect, and the difference would be recorded"
        yield FieldError("/data/occurred_at", "CLOCK_AHEAD", message)


def _notes(kind: ReferralKind, signal: ReceivePartnerSignal) -> Iterator[FieldError]:
    """Describes effects that the sender may not expect."""
    spec, code = OUTCOMES[kind], signal.outcome_code
    for name in sorted(set(signal.payload) - set(spec.payload.model_fields)):
        unknown = f"Payload: {name[:60]} is not a field of {kind}; it would be stored encrypted, without effect"
        yield FieldError("/data" + pointer(("payload", name)), "NOT_REQUESTED", unknown)
    if signal.signal_type is SignalType.COMPLETED and code in spec.non_final:
        yield FieldError("/data/outcome_code", "PROGRESS", f"{code} completes nothing and would count as progress")
    if signal.signal_type is SignalType.COMPLETED and code in spec.promises:
        yield FieldError("/data/outcome_code", "PROMISE", f"{code} counts as accepted until the person has departed")
    if code in spec.only_after_departure:
        late = f"Before the person has departed, {code} would be held for review"
        yield FieldError("/data/outcome_code", "BEFORE_DEPARTURE", late)
