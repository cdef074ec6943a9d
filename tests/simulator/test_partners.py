"""Simulated partners respond to what was delivered to them, reproducibly, and once for each delivery."""

from __future__ import annotations

import json
import random
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid5

import pytest

from domain.commands.signal import ReceivePartnerSignal
from domain.kernel.vocabulary import ReferralKind, SignalType
from domain.referral.outcomes import OUTCOMES, schema_violation
from simulator.behaviours import BEHAVIOUR, PROFILES, UnknownBehaviourError, behaviour_profile
from simulator.main import PartnerServer
from simulator.partner_client import SignalSender
from simulator.partners import LIVE_PAUSE, PlannedSignal, SimulatedPartners, UnknownRequestError, signals_for
from simulator.people import people
from store.crypto.webhook_signatures import new_secret, sign
from tests.support.receiver_process import a_receiver_process

MONDAY = datetime(2026, 1, 12, 9, 30, tzinfo=UTC)

PARTNER_OF = {
    ReferralKind.MEDICAL_ASSESSMENT: "clinic-tripoli",
    ReferralKind.CONSULAR_IDENTITY: "embassy-nga",
    ReferralKind.TRAVEL_DOCUMENT: "embassy-nga",
    ReferralKind.RECEPTION: "reception-nga",
}


def a_delivery(kind: ReferralKind, person: dict[str, Any], token: str, *, flight: str | None = None) -> dict[str, Any]:
    delivered = {name: person[name] for name in ("family_name", "given_names", "date_of_birth")}
    delivered |= {"flight": {"movement": "MOV-2026-0127-MJI-LOS", "std": flight}} if flight else {}
    return {
        "id": f"outbox-{token}",
        "type": "org.iom.vhr.referral.sent.v1",
        "data": {"referral_token": token, "kind": kind.value, "sent_at": MONDAY.isoformat(), "person": delivered},
    }


def deliveries(count: int) -> list[tuple[str, dict[str, Any]]]:
    """Returns one delivery of each kind for each person, with new tokens each time, as in production."""
    salt = random.random()
    return [
        (partner, a_delivery(kind, fields["person"], f"{kind}-{place}-{salt}"))
        for place, fields in enumerate(people(3, count))
        for kind, partner in PARTNER_OF.items()
    ]


def planned_signals(partners: SimulatedPartners) -> list[tuple[Any, ...]]:
    """Returns everything that will be sent, without tokens."""
    found = partners.due(MONDAY + timedelta(days=900))
    return [(one.order, one.signal_type, one.outcome, one.payload, one.copies) for one in found]


def after(
    delivered: list[tuple[str, dict[str, Any]]], seed: int = 7, *, live: bool = False, profile: str = "ordinary"
) -> SimulatedPartners:
    partners = SimulatedPartners(seed, LIVE_PAUSE if live else None, behaviour_profile(profile))
    for partner_id, event in delivered:
        partners.receive(partner_id, event, MONDAY)
    return partners


def test_the_same_seed_answers_alike_whatever_the_order_of_arrival_and_the_tokens() -> None:
    delivered = deliveries(40)
    shuffled = deliveries(40)
    random.Random(1).shuffle(shuffled)

    assert planned_signals(after(delivered)) == planned_signals(after(shuffled))


def test_another_seed_answers_otherwise() -> None:
    assert planned_signals(after(deliveries(40), seed=7)) != planned_signals(after(deliveries(40), seed=8))


def test_a_delivery_that_comes_twice_is_answered_once() -> None:
    delivered = deliveries(5)

    assert planned_signals(after(delivered + delivered)) == planned_signals(after(delivered))


def test_a_cancelled_referral_is_seldom_answered() -> None:
    delivered = deliveries(200)
    partners = after(delivered)
    before = len({signal.referral.token for signal in partners.agenda})

    for partner_id, event in delivered:
        token = event["data"]["referral_token"]
        off = {"id": f"off-{token}", "type": "org.iom.vhr.referral.cancelled.v1", "data": {"referral_token": token}}
        partners.receive(partner_id, off, MONDAY)

    after_all = len({signal.referral.token for signal in partners.agenda})
    assert 0 < after_all < before * 0.06


def test_every_answer_is_a_signal_the_programme_can_read() -> None:
    for planned in after(deliveries(60)).due(MONDAY + timedelta(days=900)):
        event = planned.event()
        signal = ReceivePartnerSignal.model_validate({**event["data"], "partner_id": planned.referral.partner_id})

        assert schema_violation(planned.referral.kind, signal) is None
        assert str(signal.signal_id) == event["id"]
        assert signal.occurred_at == planned.due


@pytest.mark.parametrize("kind", sorted(OUTCOMES))
def test_whatever_a_partner_is_asked_it_answers_as_its_kind_wants(kind: ReferralKind) -> None:
    person = people(3, 1)[0]["person"]
    for planned in after([("any-partner", a_delivery(kind, person, f"token-of-a-test-{kind}"))]).agenda:
        signal = ReceivePartnerSignal.model_validate({**planned.event()["data"], "partner_id": "any-partner"})
        assert schema_violation(kind, signal) is None


def of_kind(kind: ReferralKind, **more: Any) -> list[list[PlannedSignal]]:
    """Returns the signals for each of many referrals of one kind."""
    found = []
    for place, fields in enumerate(people(3, 300)):
        partners = after([(PARTNER_OF[kind], a_delivery(kind, fields["person"], f"{kind}-{place:04}-token", **more))])
        found.append(partners.due(MONDAY + timedelta(days=900)))
    return found


def test_partners_are_as_unreliable_as_partners_are() -> None:
    all_signals = of_kind(ReferralKind.MEDICAL_ASSESSMENT)

    def share(what: Any) -> float:
        return sum(bool(what(one)) for one in all_signals) / len(all_signals)

    assert 0.02 < share(lambda one: any(signal.copies > 1 for signal in one)) < 0.10
    assert 0.02 < share(lambda one: one[-1].signal_type is SignalType.REJECTED) < 0.10
    assert 0.01 < share(lambda one: one[0].signal_type is not SignalType.ACKNOWLEDGED) < 0.10
    assert 0.01 < share(lambda one: one[0].signal_type is SignalType.COMPLETED) < 0.08


def test_reception_is_promised_before_the_flight_and_done_after_it() -> None:
    departs = MONDAY + timedelta(days=12)

    for one in of_kind(ReferralKind.RECEPTION, flight=departs.isoformat()):
        promised, received = one[-2], one[-1]
        assert promised.signal_type is SignalType.ACCEPTED
        assert promised.due < departs - timedelta(days=2)
        assert received.outcome == "RECEIVED"
        assert received.due > departs


def test_who_was_turned_down_once_is_not_turned_down_again() -> None:
    for fields in people(3, 200):
        delivered = [
            (
                "clinic-tripoli",
                a_delivery(ReferralKind.MEDICAL_ASSESSMENT, fields["person"], f"{nth}-{fields['office']}"),
            )
            for nth in range(2)
        ]
        second = [
            signal for signal in after(delivered).due(MONDAY + timedelta(days=900)) if signal.referral.attempt == 1
        ]

        assert SignalType.COMPLETED in {signal.signal_type for signal in second}


def test_a_live_partner_answers_within_seconds_and_claims_no_time_ahead() -> None:
    partners = after(deliveries(20), live=True)

    soon = partners.due(MONDAY + timedelta(seconds=20))

    assert len(soon) >= 60
    for signal in soon:
        assert datetime.fromisoformat(signal.event()["data"]["occurred_at"]) == MONDAY


def test_what_is_due_is_taken_once_and_in_order() -> None:
    partners = after(deliveries(30))
    days = [MONDAY + timedelta(days=day) for day in range(0, 900, 5)]

    taken = [signal for day in days for signal in partners.due(day)]

    assert partners.next_at is None
    assert [signal.order for signal in taken] == sorted(signal.order for signal in taken)


# Signatures


@pytest.fixture
async def server() -> Any:
    secrets = {"clinic-tripoli": new_secret(), "embassy-nga": new_secret()}
    made = PartnerServer(SimulatedPartners(7), SignalSender("http://127.0.0.1:9", secrets))
    yield made
    await made.close()


def signed(secret: str, event: dict[str, Any]) -> tuple[dict[str, str], bytes]:
    body = json.dumps(event).encode()
    return sign(secret, event["id"], int(time.time()), body), body


def an_examination() -> dict[str, Any]:
    return a_delivery(ReferralKind.MEDICAL_ASSESSMENT, people(3, 1)[0]["person"], "token-of-a-test")


async def test_a_signed_delivery_is_kept(server: PartnerServer) -> None:
    headers, body = signed(server.sender.secrets["clinic-tripoli"], an_examination())

    assert server.receive("clinic-tripoli", headers, body, MONDAY)
    assert server.partners.agenda


@pytest.mark.parametrize("to", ["embassy-nga", "nobody"])
async def test_a_delivery_signed_for_another_partner_is_turned_away(server: PartnerServer, to: str) -> None:
    headers, body = signed(server.sender.secrets["clinic-tripoli"], an_examination())

    assert not server.receive(to, headers, body, MONDAY)
    assert not server.partners.agenda


async def test_a_delivery_changed_on_the_way_is_turned_away(server: PartnerServer) -> None:
    headers, body = signed(server.sender.secrets["clinic-tripoli"], an_examination())

    assert not server.receive("clinic-tripoli", headers, body.replace(b"token-of", b"token-if"), MONDAY)
    assert not server.partners.agenda


async def test_a_gateway_that_is_away_loses_no_answer(server: PartnerServer) -> None:
    headers, body = signed(server.sender.secrets["clinic-tripoli"], an_examination())
    server.receive("clinic-tripoli", headers, body, MONDAY)
    waiting = len(server.partners.agenda)

    with pytest.raises(Exception, match=r"."):  # no server listens on that port
        await server.tick(MONDAY + timedelta(days=900))

    assert len(server.partners.agenda) == waiting


def test_the_id_of_a_signal_follows_from_its_referral_and_step() -> None:
    partners = after([("clinic-tripoli", an_examination())])
    ids = [UUID(signal.event()["id"]) for signal in partners.agenda]

    assert len(set(ids)) == len(ids)
    again = after([("clinic-tripoli", an_examination())])
    assert [UUID(signal.event()["id"]) for signal in again.agenda] == ids
    assert uuid5(ids[0], "") not in ids


def test_answers_do_not_depend_on_the_token() -> None:
    referral = after([("clinic-tripoli", an_examination())]).agenda[0].referral
    other = type(referral)(**{**referral.__dict__, "token": "another-token-altogether"})

    assert [one.due for one in signals_for(7, referral)] == [one.due for one in signals_for(7, other)]


# Behaviour profiles


def signals_of(profile: str, kind: ReferralKind = ReferralKind.MEDICAL_ASSESSMENT) -> list[PlannedSignal]:
    """Returns the signals of a partner with this profile for one referral, in the order of sending."""
    event = a_delivery(kind, people(3, 1)[0]["person"], "token-of-a-test")
    return after([(PARTNER_OF[kind], event)], profile=profile).due(MONDAY + timedelta(days=900))


def steps(signals: list[PlannedSignal]) -> list[str]:
    return [signal.signal_type.value for signal in signals]


def test_a_prompt_partner_answers_in_the_moment_it_is_asked() -> None:
    assert {signal.due for signal in signals_of("prompt")} == {MONDAY}
    assert steps(signals_of("prompt")) == ["ACKNOWLEDGED", "ACCEPTED", "COMPLETED"]


def test_a_slow_partner_says_the_same_later() -> None:
    assert steps(signals_of("slow")) == steps(signals_of("prompt"))
    assert signals_of("slow")[-1].due > signals_of("prompt")[-1].due + timedelta(days=1)


def test_a_silent_partner_says_nothing() -> None:
    assert signals_of("silent") == []


def test_a_full_partner_turns_a_referral_down_with_its_reason() -> None:
    signals = signals_of("rejecting")

    assert steps(signals) == ["ACKNOWLEDGED", "REJECTED"]
    assert signals[-1].outcome == "NO_CAPACITY"
    assert signals[-1].reason


def test_a_duplicating_partner_says_its_last_word_three_times_under_one_id() -> None:
    assert [signal.copies for signal in signals_of("duplicating")] == [1, 1, 3]


def test_who_answers_out_of_order_says_first_that_it_is_done() -> None:
    assert steps(signals_of("out-of-order")) == ["COMPLETED", "ACKNOWLEDGED", "ACCEPTED"]


def test_a_contradictory_partner_says_the_same_again_under_a_new_id_and_then_the_contrary() -> None:
    *_, first, again, contrary = signals_of("contradictory")

    assert (again.outcome, again.payload) == (first.outcome, first.payload)
    assert contrary.outcome == "TREATMENT_REQUIRED"
    assert len({signal.event()["id"] for signal in (first, again, contrary)}) == 3


def test_a_wrong_clock_shows_in_what_is_claimed_and_not_in_when_it_is_said() -> None:
    for right, wrong in zip(signals_of("prompt"), signals_of("prompt+fast-clock"), strict=True):
        claimed = datetime.fromisoformat(wrong.event()["data"]["occurred_at"])
        assert claimed - right.due == timedelta(days=3)
        assert wrong.due == right.due


def test_a_stubborn_partner_answers_what_was_cancelled() -> None:
    partners = after([("clinic-tripoli", an_examination())], profile="stubborn")
    waiting = len(partners.agenda)
    off = {"id": "off", "type": "org.iom.vhr.referral.cancelled.v1", "data": {"referral_token": "token-of-a-test"}}

    partners.receive("clinic-tripoli", off, MONDAY)

    assert len(partners.agenda) == waiting


def test_a_talkative_partner_reports_with_rising_numbers() -> None:
    reports = [signal for signal in signals_of("talkative") if signal.signal_type is SignalType.PROGRESS]

    assert [signal.seq for signal in reports] == list(range(12))


def test_manners_add_up() -> None:
    signals = signals_of("duplicating+contradictory+prompt")

    assert steps(signals)[-3:] == ["COMPLETED"] * 3
    assert [signal.copies for signal in signals] == [1, 1, 3, 1, 1]
    with pytest.raises(UnknownBehaviourError, match="polite"):
        behaviour_profile("prompt+polite")


def test_every_kind_of_referral_has_its_answers() -> None:
    for kind in set(ReferralKind) - {ReferralKind.HEALTH_SERVICE}:  # a public name, which no partner ever receives
        assert (
            BEHAVIOUR[kind].negative_outcome not in BEHAVIOUR[kind].outcomes or kind is ReferralKind.CONSULAR_IDENTITY
        )


@pytest.mark.parametrize("profile", sorted(PROFILES))
def test_whatever_the_manner_every_id_says_one_thing(profile: str) -> None:
    for kind in PARTNER_OF:
        signals = signals_of(profile, kind)
        assert len({signal.event()["id"] for signal in signals}) == len(signals)


def test_a_partner_can_be_told_what_to_say_of_what_it_was_asked_and_of_nothing_else() -> None:
    partners = after([("clinic-tripoli", an_examination())])
    clinic = partners.of("clinic-tripoli")

    signal = clinic.request_signal(
        ReferralKind.MEDICAL_ASSESSMENT, MONDAY, signal_type="CONCERN_REPORTED", reason="afraid"
    )

    assert (signal.referral.token, signal.reason) == ("token-of-a-test", "afraid")
    with pytest.raises(UnknownRequestError):
        clinic.request_signal(ReferralKind.TRAVEL_DOCUMENT, MONDAY, signal_type="CONCERN_REPORTED")


@pytest.mark.integration
async def test_a_partner_that_is_asked_for_patience_waits_and_sends_the_same_again(tmp_path: Path) -> None:
    async with a_receiver_process(tmp_path) as gateway:
        sender = SignalSender(gateway.url("rest,rest,taken?to="), {"clinic-tripoli": new_secret()})
        started = time.monotonic()
        result = await sender.once("clinic-tripoli", an_examination())
        waited = time.monotonic() - started
        await sender.http.aclose()

    assert (result.taken, result.receipt) == (True, "taken")
    assert 2 <= waited < 10
    assert len({(note["body"], note["headers"]["webhook-id"]) for note in gateway.asked}) == 1
    assert len(gateway.asked) == 3


@pytest.mark.integration
async def test_a_partner_that_is_turned_away_without_being_asked_for_patience_has_failed(tmp_path: Path) -> None:
    async with a_receiver_process(tmp_path) as gateway:
        sender = SignalSender(gateway.url("fail?to="), {"clinic-tripoli": new_secret()})
        result = await sender.once("clinic-tripoli", an_examination())
        await sender.http.aclose()

    assert (result.taken, result.status, len(gateway.asked)) == (False, 500, 1)
