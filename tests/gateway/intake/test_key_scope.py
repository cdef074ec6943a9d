"""Key scopes: a laboratory's key cannot report an embassy's outcome, and the response does not disclose the attempt."""

from __future__ import annotations

import json
import logging
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4, uuid5

import httpx2
import pytest

from domain.events.referral import ReferralCreated
from domain.kernel.event import Event, Metadata
from domain.kernel.vocabulary import PUBLIC_KIND, ReferralKind, SignalType
from domain.referral.key_scope import OUTSIDE_SCOPE, KeyScope
from gateway.intake.service import Intake
from gateway.intake.signature_verifier import FRESH_S
from gateway.intake.submission import DeclinedError
from store.crypto.webhook_signatures import new_pair, new_secret
from store.log.mapper import EventMapper
from store.log.recorder import Recorder
from store.log.rows import Changeset
from store.partners import keys as partner_keys
from store.partners import registry as partners
from store.partners.registry import RegisteredPartner
from tests.gateway.conftest import REGISTRATION, Clinic, rows, stream_of

HOSPITAL = "hospital"


@dataclass(frozen=True)
class HospitalSystem:
    """A partner with an unlimited key, one for its laboratory, and one for its reception desk."""

    case: UUID
    whole: str
    laboratory: str
    front_desk: str
    tokens: dict[ReferralKind, str]

    def event(self, kind: ReferralKind, **data: Any) -> dict[str, Any]:
        return Clinic(HOSPITAL, self.whole, "", self.case).event(data={"referral_token": self.tokens[kind], **data})

    def signed(self, event: dict[str, Any], key: str, at: float | None = None) -> tuple[dict[str, str], bytes]:
        return Clinic(HOSPITAL, self.whole, "", self.case).signed(event, key=key, at=at)


@pytest.fixture
async def hospital(intake: Intake) -> HospitalSystem:
    begun = await intake.staff.start_case(REGISTRATION, user="fatima", key=uuid4().hex)
    case, pool, master = await stream_of(intake, str(begun.number)), intake.pool, intake.keys.master
    await partners.add(pool, RegisteredPartner(HOSPITAL, "Hospital", frozenset(ReferralKind)))
    whole, (laboratory, public), front_desk = new_secret(), new_pair(), new_secret()
    await partner_keys.add_key(pool, master, HOSPITAL, whole)
    await partner_keys.add_key(
        pool,
        master,
        HOSPITAL,
        public,
        scope=KeyScope(kinds=frozenset({ReferralKind.MEDICAL_ASSESSMENT, ReferralKind.MHPSS})),
    )
    steps = frozenset({SignalType.ACKNOWLEDGED, SignalType.ACCEPTED})
    await partner_keys.add_key(pool, master, HOSPITAL, front_desk, scope=KeyScope(signals=steps))
    tokens = await create_referrals(
        intake,
        case,
        ReferralKind.MEDICAL_ASSESSMENT,
        ReferralKind.SPECIALIST_CARE,
        ReferralKind.MHPSS,
        ReferralKind.CONSULAR_IDENTITY,
    )
    return HospitalSystem(case, whole, laboratory, front_desk, tokens)


async def create_referrals(intake: Intake, case: UUID, *kinds: ReferralKind) -> dict[ReferralKind, str]:
    """Creates referrals as a recording does: the public kind in clear, the true one encrypted."""
    tokens = {kind: f"a-token-for-{kind.lower()}" for kind in kinds}
    facts = [
        ReferralCreated(
            referral_id=uuid5(case, kind),
            kind=PUBLIC_KIND.get(kind, kind),
            partner_id=HOSPITAL,
            true_kind=kind if kind in PUBLIC_KIND else None,
        )
        for kind in kinds
    ]
    await recorded(intake, case, *facts)
    for kind, token in tokens.items():
        columns = (token, case, str(uuid5(case, kind)), HOSPITAL)
        await intake.pool.execute("INSERT INTO referral_tokens VALUES ($1, $2, $3, $4)", *columns)
    return tokens


async def recorded(intake: Intake, case: UUID, *facts: Event) -> None:
    loaded = await Recorder(intake.pool).load(case)
    assert loaded.head is not None
    first, at = loaded.head.version + 1, datetime.now(UTC)
    mapper = EventMapper(await intake.keys.keyring(case))
    about = Metadata(happened_at=at, recorded_at=at, actor="system", message_id=uuid4(), policy="test")
    events = [
        mapper.to_new_event(fact.placed_in(case, first + nth, at), uuid4(), about) for nth, fact in enumerate(facts)
    ]
    await Recorder(intake.pool).write(Changeset(case, loaded.head.revision, loaded.head.hash, first, events))


async def post(client: httpx2.AsyncClient, headers: dict[str, str], body: bytes) -> httpx2.Response:
    return await client.post(f"/api/v1/inbox/{HOSPITAL}", content=body, headers=headers)


async def kept(intake: Intake) -> list[tuple[Any, ...]]:
    what = "stream_id IS NOT NULL, status, result::json->>'cause'"
    return [tuple(row) for row in await rows(intake, what, "kind = 'signal'")]


APPLIES = (True, "pending", None)

SET_ASIDE = (False, "quarantined", OUTSIDE_SCOPE)


async def test_a_laboratorys_key_cannot_report_an_embassys_outcome(
    intake: Intake, hospital: HospitalSystem, caplog: pytest.LogCaptureFixture
) -> None:
    event = hospital.event(ReferralKind.CONSULAR_IDENTITY, outcome_code="NATIONALITY_CONFIRMED")

    with caplog.at_level(logging.WARNING, "awda.gateway"):
        await intake.partners.receive(HOSPITAL, *hospital.signed(event, hospital.laboratory))
    assert await kept(intake) == [SET_ASIDE]
    assert OUTSIDE_SCOPE in caplog.text

    another = hospital.event(ReferralKind.CONSULAR_IDENTITY, outcome_code="NATIONALITY_CONFIRMED")
    await intake.partners.receive(HOSPITAL, *hospital.signed(another, hospital.whole))
    assert await kept(intake) == [SET_ASIDE, APPLIES]


@pytest.mark.parametrize(
    ("kind", "became"),
    [
        (ReferralKind.MEDICAL_ASSESSMENT, APPLIES),
        (ReferralKind.MHPSS, APPLIES),
        (ReferralKind.SPECIALIST_CARE, SET_ASIDE),
    ],
)
async def test_the_kind_that_counts_is_the_one_that_was_really_asked(
    intake: Intake, hospital: HospitalSystem, kind: ReferralKind, became: tuple[Any, ...]
) -> None:
    """MHPSS and specialist care have the same public kind; the laboratory's key is for one of them."""
    await intake.partners.receive(HOSPITAL, *hospital.signed(hospital.event(kind), hospital.laboratory))

    assert await kept(intake) == [became]


async def test_a_key_for_some_signals_cannot_send_others(intake: Intake, hospital: HospitalSystem) -> None:
    for signal in ("ACCEPTED", "COMPLETED"):
        event = hospital.event(ReferralKind.MEDICAL_ASSESSMENT, signal_type=signal)
        await intake.partners.receive(HOSPITAL, *hospital.signed(event, hospital.front_desk))

    assert await kept(intake) == [APPLIES, SET_ASIDE]


@pytest.mark.parametrize("signal", ["WITHDRAWAL_REPORTED", "CONCERN_REPORTED", "CONTACT_CHANGED"])
async def test_what_the_person_says_is_heard_under_any_key(
    intake: Intake, hospital: HospitalSystem, signal: str
) -> None:
    for key in (hospital.laboratory, hospital.front_desk):
        event = hospital.event(ReferralKind.CONSULAR_IDENTITY, signal_type=signal, outcome_code=None)
        await intake.partners.receive(HOSPITAL, *hospital.signed(event, key))

    assert await kept(intake) == [APPLIES, APPLIES]


async def test_of_two_signing_keys_one_with_the_right_scope_is_enough(intake: Intake, hospital: HospitalSystem) -> None:
    event, at = hospital.event(ReferralKind.CONSULAR_IDENTITY), time.time()
    (narrow, body), (wide, _) = (hospital.signed(event, key, at) for key in (hospital.laboratory, hospital.whole))
    both = narrow | {"webhook-signature": f"{narrow['webhook-signature']} {wide['webhook-signature']}"}

    await intake.partners.receive(HOSPITAL, both, body)

    assert await kept(intake) == [APPLIES]


async def test_the_answer_does_not_tell_whether_the_key_was_for_this(
    client: httpx2.AsyncClient, intake: Intake, hospital: HospitalSystem
) -> None:
    events = [hospital.event(kind) for kind in (ReferralKind.MEDICAL_ASSESSMENT, ReferralKind.CONSULAR_IDENTITY)]
    unknown = {**hospital.event(ReferralKind.MHPSS)}
    unknown["data"] = {**unknown["data"], "referral_token": "x" * 22}

    answers = [await post(client, *hospital.signed(event, hospital.laboratory)) for event in (*events, unknown)]

    assert {answer.status_code for answer in answers} == {202}
    assert {answer.json()["status"] for answer in answers} == {"received"}
    assert len({tuple(answer.headers.keys()) for answer in answers}) == 1
    assert [row[1] for row in await kept(intake)] == ["pending", "quarantined", "quarantined"]


async def test_sent_again_it_gets_the_same_receipt_and_still_has_no_effect(
    intake: Intake, hospital: HospitalSystem
) -> None:
    event = hospital.event(ReferralKind.CONSULAR_IDENTITY)

    first = await intake.partners.receive(HOSPITAL, *hospital.signed(event, hospital.laboratory))
    second = await intake.partners.receive(HOSPITAL, *hospital.signed(event, hospital.laboratory))

    assert (second.receipt, second.repeated) == (first.receipt, True)
    assert await kept(intake) == [SET_ASIDE]


async def test_a_key_limited_to_kinds_is_not_accepted_for_an_unreadable_referral(
    intake: Intake, hospital: HospitalSystem
) -> None:
    begun = await intake.staff.start_case(REGISTRATION, user="fatima", key=uuid4().hex)
    columns = ("a-token-without-a-referral", await stream_of(intake, str(begun.number)), str(uuid4()), HOSPITAL)
    await intake.pool.execute("INSERT INTO referral_tokens VALUES ($1, $2, $3, $4)", *columns)
    event = hospital.event(ReferralKind.MHPSS, referral_token="a-token-without-a-referral")

    await intake.partners.receive(HOSPITAL, *hospital.signed(event, hospital.laboratory))

    assert await kept(intake) == [SET_ASIDE]


async def test_a_revoked_key_is_turned_away_within_two_seconds(intake: Intake, hospital: HospitalSystem) -> None:
    await intake.partners.receive(HOSPITAL, *hospital.signed(hospital.event(ReferralKind.MHPSS), hospital.whole))
    (whole,) = [key for key in await partner_keys.key_entries(intake.pool, HOSPITAL) if not key.scope.limited]

    await partner_keys.revoke_key(intake.pool, whole.key_id)
    assert FRESH_S <= 2.0
    intake.partners.signature_verifier._read_at -= FRESH_S  # as if that time had passed

    with pytest.raises(DeclinedError) as declined:
        await intake.partners.receive(HOSPITAL, *hospital.signed(hospital.event(ReferralKind.MHPSS), hospital.whole))
    assert declined.value.problem == "signature"


async def test_while_a_key_is_replaced_no_message_is_rejected(intake: Intake, hospital: HospitalSystem) -> None:
    (old,) = [key for key in await partner_keys.key_entries(intake.pool, HOSPITAL) if not key.scope.limited]
    new = new_secret()

    await partner_keys.rotate_key(intake.pool, intake.keys.master, old.key_id, new)
    for key in (hospital.whole, new):
        await intake.partners.receive(HOSPITAL, *hospital.signed(hospital.event(ReferralKind.MHPSS), key))

    assert await kept(intake) == [APPLIES, APPLIES]
    used = [
        entry.last_used_at for entry in await partner_keys.key_entries(intake.pool, HOSPITAL) if not entry.scope.limited
    ]
    assert None not in used


async def test_an_outbound_key_is_not_accepted_for_inbound_messages(intake: Intake, hospital: HospitalSystem) -> None:
    ours = new_secret()
    await partner_keys.add_key(
        intake.pool, intake.keys.master, HOSPITAL, ours, direction=partner_keys.Direction.OUTBOUND
    )

    with pytest.raises(DeclinedError) as declined:
        await intake.partners.receive(HOSPITAL, *hospital.signed(hospital.event(ReferralKind.MHPSS), ours))

    assert declined.value.problem == "signature"


async def test_a_message_set_aside_is_kept_sealed_and_without_its_case(
    intake: Intake, hospital: HospitalSystem
) -> None:
    event = hospital.event(ReferralKind.CONSULAR_IDENTITY, reason="a confidential reason")

    await intake.partners.receive(HOSPITAL, *hospital.signed(event, hospital.laboratory))

    ((stream, body, result),) = [tuple(row) for row in await rows(intake, "stream_id, body, result", "kind = 'signal'")]
    assert stream is None
    assert b"confidential" not in body
    assert json.loads(result) == {"status": "quarantined", "cause": OUTSIDE_SCOPE}
