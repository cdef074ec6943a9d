"""The stand-in partners answer from what they were told, alike for the same seed, and never twice for one delivery."""

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
from simulator.behaviours import BEHAVIOUR, MANNERS, UnknownBehaviourError, behaviour_profile
from simulator.main import PartnerServer
from simulator.partner_client import SignalSender
from simulator.partners import LIVE_PAUSE, PlannedSignal, SimulatedPartners, UnknownRequestError, answers
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
    told = {name: person[name] for name in ("family_name", "given_names", "date_of_birth")}
    told |= {"flight": {"movement": "MOV-2026-0127-MJI-LOS", "std": flight}} if flight else {}
    return {
        "id": f"outbox-{token}",
        "type": "org.iom.vhr.referral.sent.v1",
        "data": {"referral_token": token, "kind": kind.value, "sent_at": MONDAY.isoformat(), "person": told},
    }


def deliveries(count: int) -> list[tuple[str, dict[str, Any]]]:
    """Every kind of referral, once for each person. Tokens are new each time, as the programme's are."""
    salt = random.random()
    return [
        (partner, a_delivery(kind, fields["person"], f"{kind}-{place}-{salt}"))
        for place, fields in enumerate(people(3, count))
        for kind, partner in PARTNER_OF.items()
    ]


def said(partners: SimulatedPartners) -> list[tuple[Any, ...]]:
    """What will be said, without tokens."""
    found = partners.due(MONDAY + timedelta(days=900))
    return [(one.order, one.signal_type, one.outcome, one.payload, one.times) for one in found]


def after(
    told: list[tuple[str, dict[str, Any]]], seed: int = 7, *, live: bool = False, how: str = "ordinary"
) -> SimulatedPartners:
    partners = SimulatedPartners(seed, LIVE_PAUSE if live else None, behaviour_profile(how))
    for partner_id, event in told:
        partners.receive(partner_id, event, MONDAY)
    return partners


def test_the_same_seed_answers_alike_whatever_the_order_of_arrival_and_the_tokens() -> None:
    told = deliveries(40)
    shuffled = deliveries(40)
    random.Random(1).shuffle(shuffled)

    assert said(after(told)) == said(after(shuffled))


def test_another_seed_answers_otherwise() -> None:
    assert said(after(deliveries(40), seed=7)) != said(after(deliveries(40), seed=8))


def test_a_delivery_that_comes_twice_is_answered_once() -> None:
    told = deliveries(5)

    assert said(after(told + told)) == said(after(told))


def test_a_cancelled_referral_is_seldom_answered() -> None:
    told = deliveries(200)
    partners = after(told)
    before = len({answer.asked.token for answer in partners.agenda})

    for partner_id, event in told:
        token = event["data"]["referral_token"]
        off = {"id": f"off-{token}", "type": "org.iom.vhr.referral.cancelled.v1", "data": {"referral_token": token}}
        partners.receive(partner_id, off, MONDAY)

    after_all = len({answer.asked.token for answer in partners.agenda})
    assert 0 < after_all < before * 0.06


def test_every_answer_is_a_signal_the_programme_can_read() -> None:
    for answer in after(deliveries(60)).due(MONDAY + timedelta(days=900)):
        event = answer.event()
        signal = ReceivePartnerSignal.model_validate({**event["data"], "partner_id": answer.asked.partner_id})

        assert schema_violation(answer.asked.kind, signal) is None
        assert str(signal.signal_id) == event["id"]
        assert signal.occurred_at == answer.due


@pytest.mark.parametrize("kind", sorted(OUTCOMES))
def test_whatever_a_partner_is_asked_it_answers_as_its_kind_wants(kind: ReferralKind) -> None:
    person = people(3, 1)[0]["person"]
    for answer in after([("anybody", a_delivery(kind, person, f"token-of-a-test-{kind}"))]).agenda:
        signal = ReceivePartnerSignal.model_validate({**answer.event()["data"], "partner_id": "anybody"})
        assert schema_violation(kind, signal) is None


def of_kind(kind: ReferralKind, **more: Any) -> list[list[PlannedSignal]]:
    """What is answered to many referrals of one kind, per referral."""
    found = []
    for place, fields in enumerate(people(3, 300)):
        partners = after([(PARTNER_OF[kind], a_delivery(kind, fields["person"], f"{kind}-{place:04}-token", **more))])
        found.append(partners.due(MONDAY + timedelta(days=900)))
    return found


def test_partners_are_as_unreliable_as_partners_are() -> None:
    all_said = of_kind(ReferralKind.MEDICAL_ASSESSMENT)

    def share(what: Any) -> float:
        return sum(bool(what(one)) for one in all_said) / len(all_said)

    assert 0.02 < share(lambda one: any(answer.times > 1 for answer in one)) < 0.10
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
        told = [
            (
                "clinic-tripoli",
                a_delivery(ReferralKind.MEDICAL_ASSESSMENT, fields["person"], f"{nth}-{fields['office']}"),
            )
            for nth in range(2)
        ]
        second = [answer for answer in after(told).due(MONDAY + timedelta(days=900)) if answer.asked.nth == 1]

        assert SignalType.COMPLETED in {answer.signal_type for answer in second}


def test_a_live_partner_answers_within_seconds_and_claims_no_time_ahead() -> None:
    partners = after(deliveries(20), live=True)

    soon = partners.due(MONDAY + timedelta(seconds=20))

    assert len(soon) >= 60
    for answer in soon:
        assert datetime.fromisoformat(answer.event()["data"]["occurred_at"]) == MONDAY


def test_what_is_due_is_taken_once_and_in_order() -> None:
    partners = after(deliveries(30))
    days = [MONDAY + timedelta(days=day) for day in range(0, 900, 5)]

    taken = [answer for day in days for answer in partners.due(day)]

    assert partners.next_at is None
    assert [answer.order for answer in taken] == sorted(answer.order for answer in taken)


# Signatures


@pytest.fixture
async def desk() -> Any:
    secrets = {"clinic-tripoli": new_secret(), "embassy-nga": new_secret()}
    made = PartnerServer(SimulatedPartners(7), SignalSender("http://127.0.0.1:9", secrets))
    yield made
    await made.close()


def signed(secret: str, event: dict[str, Any]) -> tuple[dict[str, str], bytes]:
    body = json.dumps(event).encode()
    return sign(secret, event["id"], int(time.time()), body), body


def an_examination() -> dict[str, Any]:
    return a_delivery(ReferralKind.MEDICAL_ASSESSMENT, people(3, 1)[0]["person"], "token-of-a-test")


async def test_a_signed_delivery_is_kept(desk: PartnerServer) -> None:
    headers, body = signed(desk.sender.secrets["clinic-tripoli"], an_examination())

    assert desk.receive("clinic-tripoli", headers, body, MONDAY)
    assert desk.partners.agenda


@pytest.mark.parametrize("to", ["embassy-nga", "nobody"])
async def test_a_delivery_signed_for_another_partner_is_turned_away(desk: PartnerServer, to: str) -> None:
    headers, body = signed(desk.sender.secrets["clinic-tripoli"], an_examination())

    assert not desk.receive(to, headers, body, MONDAY)
    assert not desk.partners.agenda


async def test_a_delivery_changed_on_the_way_is_turned_away(desk: PartnerServer) -> None:
    headers, body = signed(desk.sender.secrets["clinic-tripoli"], an_examination())

    assert not desk.receive("clinic-tripoli", headers, body.replace(b"token-of", b"token-if"), MONDAY)
    assert not desk.partners.agenda


async def test_a_gateway_that_is_away_loses_no_answer(desk: PartnerServer) -> None:
    headers, body = signed(desk.sender.secrets["clinic-tripoli"], an_examination())
    desk.receive("clinic-tripoli", headers, body, MONDAY)
    waiting = len(desk.partners.agenda)

    with pytest.raises(Exception, match=r"."):  # nobody listens on that port
        await desk.tick(MONDAY + timedelta(days=900))

    assert len(desk.partners.agenda) == waiting


def test_the_id_of_a_signal_follows_from_its_referral_and_step() -> None:
    partners = after([("clinic-tripoli", an_examination())])
    ids = [UUID(answer.event()["id"]) for answer in partners.agenda]

    assert len(set(ids)) == len(ids)
    again = after([("clinic-tripoli", an_examination())])
    assert [UUID(answer.event()["id"]) for answer in again.agenda] == ids
    assert uuid5(ids[0], "") not in ids


def test_answers_do_not_depend_on_the_token() -> None:
    asked = after([("clinic-tripoli", an_examination())]).agenda[0].asked
    other = type(asked)(**{**asked.__dict__, "token": "another-token-altogether"})

    assert [one.due for one in answers(7, asked)] == [one.due for one in answers(7, other)]


# Manners


def told_by(how: str, kind: ReferralKind = ReferralKind.MEDICAL_ASSESSMENT) -> list[PlannedSignal]:
    """Everything a partner of that manner says to one referral, in the order in which it says it."""
    event = a_delivery(kind, people(3, 1)[0]["person"], "token-of-a-test")
    return after([(PARTNER_OF[kind], event)], how=how).due(MONDAY + timedelta(days=900))


def steps(said: list[PlannedSignal]) -> list[str]:
    return [answer.signal_type.value for answer in said]


def test_a_prompt_partner_answers_in_the_moment_it_is_asked() -> None:
    assert {answer.due for answer in told_by("prompt")} == {MONDAY}
    assert steps(told_by("prompt")) == ["ACKNOWLEDGED", "ACCEPTED", "COMPLETED"]


def test_a_slow_partner_says_the_same_later() -> None:
    assert steps(told_by("slow")) == steps(told_by("prompt"))
    assert told_by("slow")[-1].due > told_by("prompt")[-1].due + timedelta(days=1)


def test_a_silent_partner_says_nothing() -> None:
    assert told_by("silent") == []


def test_a_full_partner_turns_a_referral_down_with_its_reason() -> None:
    said = told_by("rejecting")

    assert steps(said) == ["ACKNOWLEDGED", "REJECTED"]
    assert said[-1].outcome == "NO_CAPACITY"
    assert said[-1].reason


def test_a_duplicating_partner_says_its_last_word_three_times_under_one_id() -> None:
    assert [answer.times for answer in told_by("duplicating")] == [1, 1, 3]


def test_who_answers_out_of_order_says_first_that_it_is_done() -> None:
    assert steps(told_by("out-of-order")) == ["COMPLETED", "ACKNOWLEDGED", "ACCEPTED"]


def test_a_contradictory_partner_says_the_same_again_under_a_new_id_and_then_the_contrary() -> None:
    *_, first, again, contrary = told_by("contradictory")

    assert (again.outcome, again.payload) == (first.outcome, first.payload)
    assert contrary.outcome == "TREATMENT_REQUIRED"
    assert len({answer.event()["id"] for answer in (first, again, contrary)}) == 3


def test_a_wrong_clock_shows_in_what_is_claimed_and_not_in_when_it_is_said() -> None:
    for right, wrong in zip(told_by("prompt"), told_by("prompt+fast-clock"), strict=True):
        claimed = datetime.fromisoformat(wrong.event()["data"]["occurred_at"])
        assert claimed - right.due == timedelta(days=3)
        assert wrong.due == right.due


def test_a_stubborn_partner_answers_what_was_cancelled() -> None:
    partners = after([("clinic-tripoli", an_examination())], how="stubborn")
    waiting = len(partners.agenda)
    off = {"id": "off", "type": "org.iom.vhr.referral.cancelled.v1", "data": {"referral_token": "token-of-a-test"}}

    partners.receive("clinic-tripoli", off, MONDAY)

    assert len(partners.agenda) == waiting


def test_a_talkative_partner_reports_with_rising_numbers() -> None:
    reports = [answer for answer in told_by("talkative") if answer.signal_type is SignalType.PROGRESS]

    assert [answer.seq for answer in reports] == list(range(12))


def test_manners_add_up() -> None:
    said = told_by("duplicating+contradictory+prompt")

    assert steps(said)[-3:] == ["COMPLETED"] * 3
    assert [answer.times for answer in said] == [1, 1, 3, 1, 1]
    with pytest.raises(UnknownBehaviourError, match="polite"):
        behaviour_profile("prompt+polite")


def test_every_kind_of_referral_has_its_answers() -> None:
    for kind in set(ReferralKind) - {ReferralKind.HEALTH_SERVICE}:  # a public name, which nobody is asked for
        assert BEHAVIOUR[kind].badly not in BEHAVIOUR[kind].outcomes or kind is ReferralKind.CONSULAR_IDENTITY


@pytest.mark.parametrize("how", sorted(MANNERS))
def test_whatever_the_manner_every_id_says_one_thing(how: str) -> None:
    for kind in PARTNER_OF:
        said = told_by(how, kind)
        assert len({answer.event()["id"] for answer in said}) == len(said)


def test_a_partner_can_be_told_what_to_say_of_what_it_was_asked_and_of_nothing_else() -> None:
    partners = after([("clinic-tripoli", an_examination())])
    clinic = partners.of("clinic-tripoli")

    said = clinic.say(ReferralKind.MEDICAL_ASSESSMENT, MONDAY, signal_type="CONCERN_REPORTED", reason="afraid")

    assert (said.asked.token, said.reason) == ("token-of-a-test", "afraid")
    with pytest.raises(UnknownRequestError):
        clinic.say(ReferralKind.TRAVEL_DOCUMENT, MONDAY, signal_type="CONCERN_REPORTED")


@pytest.mark.integration
async def test_a_partner_that_is_asked_for_patience_waits_and_sends_the_same_again(tmp_path: Path) -> None:
    async with a_receiver_process(tmp_path) as gateway:
        sender = SignalSender(gateway.url("rest,rest,taken?to="), {"clinic-tripoli": new_secret()})
        started = time.monotonic()
        told = await sender.once("clinic-tripoli", an_examination())
        waited = time.monotonic() - started
        await sender.http.aclose()

    assert (told.taken, told.receipt) == (True, "taken")
    assert 2 <= waited < 10
    assert len({(note["body"], note["headers"]["webhook-id"]) for note in gateway.asked}) == 1
    assert len(gateway.asked) == 3


@pytest.mark.integration
async def test_a_partner_that_is_turned_away_without_being_asked_for_patience_has_failed(tmp_path: Path) -> None:
    async with a_receiver_process(tmp_path) as gateway:
        sender = SignalSender(gateway.url("fail?to="), {"clinic-tripoli": new_secret()})
        told = await sender.once("clinic-tripoli", an_examination())
        await sender.http.aclose()

    assert (told.taken, told.status, len(gateway.asked)) == (False, 500, 1)
