"""The pages for partners are checked against the code: messages, figures, outcomes, summaries."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import pytest

from cli.commands.partner.keys import revoke
from domain.commands.signal import ReceivePartnerSignal
from domain.events.referral import ReferralSent
from domain.kernel.vocabulary import STATEMENTS, ReferralKind, SignalType
from domain.referral.disclosure import RECIPIENT_OF
from domain.referral.notifications import NOTIFICATIONS, notifications_of
from domain.referral.outcomes import OUTCOMES, SIGNAL_DESCRIPTIONS, outcomes_of
from gateway.intake.partners import SIGNAL_TYPE, source_of
from gateway.intake.signature_verifier import FRESH_S
from gateway.intake.strict_json import parse_object
from store.crypto.webhook_signatures import LONGEST_TOLERANCE_S, TOLERANCE_S
from store.partners.keys import GRACE, revoke_key
from tests.support.builders import a_screened_case
from tests.support.partner_side import PAGES
from tools import letters, signals
from workflows.delivery import SCHEDULE

PAGE: Final = (PAGES / "README.md").read_text(encoding="utf-8")

JSON: Final = [parse_object(block.encode()) for block in re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)]

SUMMARIES: Final = sorted(PAGES.glob("??.md"))


def example(type_: str) -> dict[str, Any]:
    (found,) = [block for block in JSON if block.get("type") == type_]
    return found


def test_the_referral_on_the_page_is_what_a_clinic_is_sent() -> None:
    scenario = a_screened_case()
    sent = next(e for e in scenario.events if isinstance(e, ReferralSent) and e.kind is ReferralKind.MEDICAL_ASSESSMENT)
    message = notifications_of(scenario.case, sent)
    assert message is not None

    shown = example(f"org.iom.vhr.{message.name}.v1")

    real = json.loads(json.dumps(message.data))
    assert {name: type(value) for name, value in shown["data"].items()} == {n: type(v) for n, v in real.items()}
    assert shown["data"]["person"] == real["person"]
    assert shown["data"]["due"].keys() == real["due"].keys()


def test_the_signal_on_the_page_is_one_that_is_taken() -> None:
    shown = example(SIGNAL_TYPE)

    said = ReceivePartnerSignal.model_validate({**shown["data"], "partner_id": "clinic-tripoli"})

    assert shown["source"] == source_of("clinic-tripoli")
    assert shown["id"] == str(said.signal_id)
    assert said.outcome_code in outcomes_of(ReferralKind.MEDICAL_ASSESSMENT)[said.signal_type]


def test_every_letter_that_a_partner_may_get_is_on_the_page_and_no_other() -> None:
    said = set(re.findall(r"^\| `org\.iom\.vhr\.([a-z.]+)\.v1` \|", PAGE, re.MULTILINE))
    assert said == {name for name, _ in NOTIFICATIONS.values()} | {"test"}


def test_what_the_page_says_of_a_letter_is_what_stands_in_it() -> None:
    scenario = a_screened_case()
    asked = scenario.referral("MEDICAL_ASSESSMENT").referral_id
    scenario.having("AmendReferral", referral_id=asked).after(days=9)
    scenario.having("CancelReferral", referral_id=asked, reason="x").after(days=3)
    written = [letter for event in scenario.events if (letter := notifications_of(scenario.case, event)) is not None]
    assert {letter.name for letter in written} == letters.SAYS.keys()
    for letter in written:
        named = re.findall(r"`([a-z_]+)`", letters.SAYS[letter.name][1])
        assert not named or set(named) == set(letter.data), letter.name


def test_the_figures_on_the_page_are_those_in_the_code() -> None:
    assert len(SCHEDULE) + 1 == 10
    assert timedelta(hours=75) <= sum(SCHEDULE, timedelta()) < timedelta(hours=76)
    assert (TOLERANCE_S, LONGEST_TOLERANCE_S, timedelta(weeks=1)) == (5 * 60, 15 * 60, GRACE)
    assert "ten times over 75 hours" in PAGE
    assert "five minutes; agree on more, at most fifteen" in PAGE
    assert "the old key remains valid for a week" in PAGE


def test_whoever_speaks_of_a_revoked_key_gives_it_the_two_seconds_that_a_gateway_does() -> None:
    decision = (PAGES.parent / "decisions" / "0032-keys-have-direction-scope-and-successor.md").read_text(
        encoding="utf-8"
    )
    said = {"the page": PAGE, "the decision": decision, "the store": revoke_key.__doc__, "the command": revoke.help}

    assert FRESH_S == 2.0
    assert [who for who, text in said.items() if "two seconds" not in (text or "")] == []


def test_every_signal_every_kind_and_every_field_is_explained() -> None:
    assert SIGNAL_DESCRIPTIONS.keys() == set(SignalType)
    assert OUTCOMES.keys() == RECIPIENT_OF.keys()
    assert signals.FIELDS.keys() == ReceivePartnerSignal.model_fields.keys()
    assert all(answers.keys() <= set(SignalType) - STATEMENTS for answers in map(outcomes_of, OUTCOMES))


@pytest.mark.parametrize("kind", [ReferralKind.MEDICAL_ASSESSMENT, ReferralKind.RECEPTION], ids=str)
def test_outcomes_that_rules_know_are_on_the_page(kind: ReferralKind) -> None:
    from domain.stages.medical import CLEARED, HELD
    from domain.stages.reception import CONFIRMED

    known = {ReferralKind.MEDICAL_ASSESSMENT: CLEARED | HELD, ReferralKind.RECEPTION: CONFIRMED - {None}}[kind]
    assert known <= {code for codes in outcomes_of(kind).values() for code in codes}


@pytest.mark.parametrize("page", SUMMARIES, ids=lambda page: page.stem)
def test_a_summary_names_the_same_things_as_the_page(page: Path) -> None:
    said = page.read_text(encoding="utf-8")
    for name in ("webhook-id", "webhook-timestamp", "webhook-signature", "whsec_", "v1", "202", "client.py"):
        assert name in said, name
    assert set(re.findall(r"`([A-Z_]{6,})`", said)) <= set(SignalType)
