"""Public fields reveal nothing restricted: state is rebuilt from them alone, and they contain no restricted word."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from domain.kernel.directory import Directory, Partner
from domain.kernel.event import REGISTRY
from domain.kernel.holds import BLOCKS
from domain.kernel.message import MESSAGES
from domain.kernel.vocabulary import (
    PUBLIC_CLOSURE,
    PUBLIC_KIND,
    ClosureReason,
    HoldType,
    PublicClosure,
    Purpose,
    ReferralKind,
)
from domain.referral.disclosure import AUTHORITIES, RECIPIENT_OF, SENSITIVE, Recipient, revealing_word
from domain.referral.notifications import notifications_of
from store.partners.registry import RegisteredPartner
from store.partners.seed import STANDARD
from tests.support.assertions import neutral, public, redacted
from tests.support.builders import (
    PARTNERS,
    CaseScenario,
    a_boarded_case,
    a_cleared_case,
    a_frozen_case,
    a_screened_case,
    a_seated_case,
    folded,
)
from tests.support.journeys import CASES, fear_at_screening, fear_at_the_airport

RESTRICTED = re.compile(
    "TRAFFICK|ASYLUM|REFUGEE|GBV|VIOLENCE|VOT_|VICTIM|SURVIVOR|REFLECTION|FEAR|TREATMENT|UNFIT|NO_SIGNIFICANT|STABLE"
    "|PREGNAN|HIV|TUBERCUL|\\bTB\\b|ABUSE|BEATEN|DETENTION VIOLENCE|MHPSS|SPECIALIST_CARE"
)

WHO = re.compile("AMINATA|OKAFOR|218910000001|1996-04-02")

TYPED_TEXT = "she was sold"

COUNTRY_OF_REFUGE = re.compile("UNHCR")


@pytest.mark.parametrize("journey", CASES)
def test_state_is_rebuilt_from_the_neutral_part_alone(journey: str) -> None:
    scenario = CASES[journey]()
    assert public(folded(redacted(event) for event in scenario.events)) == public(scenario.case)


@pytest.mark.parametrize("journey", CASES)
def test_state_is_rebuilt_from_the_neutral_part_at_every_step(journey: str) -> None:
    events = CASES[journey]().events
    full, blind = folded(()), folded(())
    for event in events:
        folding: tuple[object, ...] = (event.mutate(full), redacted(event).mutate(blind))
        assert folding
        assert (full.phase, full.done, full.clearances) == (blind.phase, blind.done, blind.clearances), event.name
        assert [hold.blocks for hold in full.holds.values()] == [hold.blocks for hold in blind.holds.values()], (
            event.name
        )


@pytest.mark.parametrize("journey", CASES)
def test_no_public_field_contains_a_restricted_fact(journey: str) -> None:
    for event in CASES[journey]().events:
        assert not RESTRICTED.search(neutral(event).upper()), neutral(event)


@pytest.mark.parametrize("journey", CASES)
def test_no_public_field_names_a_person(journey: str) -> None:
    for event in CASES[journey]().events:
        assert not WHO.search(neutral(event).upper()), neutral(event)


@pytest.mark.parametrize("journey", CASES)
def test_unhcr_is_named_only_in_records_of_consent(journey: str) -> None:
    for event in CASES[journey]().events:
        if event.name not in ("ConsentGiven", "ConsentRefused", "ConsentWithdrawn"):
            assert not COUNTRY_OF_REFUGE.search(neutral(event).upper()), neutral(event)


TYPED: dict[str, tuple[Callable[[], CaseScenario], dict[str, object]]] = {
    "SetPriority": (a_screened_case, {"priority": "P2_HIGHLY_VULNERABLE", "basis": TYPED_TEXT}),
    "RecordContactAttempt": (a_screened_case, {"channel": "PHONE", "result": TYPED_TEXT}),
    "RecordCounselling": (a_screened_case, {"topics": (TYPED_TEXT,), "language": "ha"}),
    "WithdrawVoluntaryReturn": (a_screened_case, {"channel": TYPED_TEXT, "place": TYPED_TEXT}),
    "RevokeClearance": (a_cleared_case, {"kind": "CONSENT_RETURN", "cause": TYPED_TEXT}),
    "ReleaseSeat": (a_seated_case, {"cause": TYPED_TEXT}),
    "DenyBoarding": (a_boarded_case, {"by": "CARRIER", "cause": TYPED_TEXT}),
    "OffloadPassenger": (a_boarded_case, {"cause": TYPED_TEXT}),
    "RecordNoShow": (a_frozen_case, {"cause": TYPED_TEXT}),
    "PlaceHold": (a_screened_case, {"hold_type": "PROTECTION", "reason": TYPED_TEXT}),
}


@pytest.mark.parametrize("name", TYPED)
def test_free_text_is_never_in_a_public_field(name: str) -> None:
    begin, fields = TYPED[name]
    decided = begin().say(MESSAGES[name].model_validate(fields))
    assert TYPED_TEXT in repr(decided)
    assert all(TYPED_TEXT not in neutral(event) for event in decided)


def test_a_review_that_may_release_nothing_looks_like_one_that_released_nothing() -> None:
    afraid = fear_at_screening()
    hold = afraid.held("PROTECTION").hold_id
    decision, released = "letters may go", ("EMBASSY_DISCLOSURE",)
    reviewed = afraid.send("ReviewHold", hold_id=hold, decision=decision, unblock=released)[0]
    plain = fear_at_screening().send("ReviewHold", hold_id=hold, decision="it goes on")[0]
    assert neutral(reviewed) == neutral(plain)
    assert reviewed.facts["decision"] != decision, "the sealed decision states that nothing was released"
    assert "EMBASSY_DISCLOSURE" in afraid.held("PROTECTION").blocks


@pytest.mark.parametrize("topic", sorted(REGISTRY))
def test_no_event_name_reveals_a_restricted_fact(topic: str) -> None:
    spoken = f"{topic} {REGISTRY[topic].SENTENCE}"
    assert not RESTRICTED.search(spoken.upper().replace("RETURNEEMET", ""))


def test_a_hold_for_fear_looks_like_any_protection_hold() -> None:
    plain = a_screened_case().having("PlaceHold", hold_type="PROTECTION", reason="family dispute").held("PROTECTION")
    for scenario in (fear_at_screening(), fear_at_the_airport()):
        hold = scenario.held("PROTECTION")
        assert (hold.type, hold.owner, hold.blocks) == (plain.type, plain.owner, plain.blocks)


def test_every_protection_hold_is_reviewed_after_the_same_time() -> None:
    plain = a_screened_case().having("PlaceHold", hold_type="PROTECTION", reason="family dispute")
    afraid = a_screened_case().having("RecordNonRefoulementScreen", outcome="CLAIM")
    assert plain.held("PROTECTION").review_by == afraid.held("PROTECTION").review_by


def test_only_public_hold_types_are_visible() -> None:
    assert not {"ASYLUM", "REFLECTION_PERIOD", "TRAFFICKING", "GBV"} & set(HoldType)
    assert set(BLOCKS) == set(HoldType)


@pytest.mark.parametrize("kind", sorted(PUBLIC_KIND))
def test_a_sensitive_kind_of_referral_has_a_neutral_public_name(kind: ReferralKind) -> None:
    scenario = a_screened_case()
    scenario.directory = type(scenario.directory)(
        {"p": next(iter(scenario.directory.partners.values())).__class__("p", frozenset(ReferralKind))}
    )
    scenario.having("CreateReferral", kind=kind)
    referral = scenario.referral(kind)
    assert referral.kind is PUBLIC_KIND[kind]
    assert referral.kind != kind
    assert str(kind) not in neutral(scenario.named("ReferralCreated")[-1])


@pytest.mark.parametrize("reason", list(ClosureReason))
def test_every_closure_reason_has_a_public_one(reason: ClosureReason) -> None:
    assert PUBLIC_CLOSURE[reason] in PublicClosure


def test_several_reasons_share_the_public_reason_that_conceals_them() -> None:
    hidden = [
        reason for reason, shown in PUBLIC_CLOSURE.items() if shown is PublicClosure.NOT_PROCEEDING_SUPPORT_CONTINUES
    ]
    assert len(hidden) == 7


@pytest.mark.parametrize("afraid", [fear_at_screening, fear_at_the_airport])
def test_an_embassy_or_authority_never_receives_the_reason(afraid: object) -> None:
    scenario: CaseScenario = afraid()  # type: ignore[operator]
    for event in scenario.events:
        message = notifications_of(scenario.case, event)
        if message is not None and message.partner_id in ("embassy-nga", "exit-authority"):
            assert not RESTRICTED.search(repr(message).upper()), message


def test_the_embassy_receives_nothing_new_after_a_fear_claim() -> None:
    scenario = fear_at_screening()
    scenario.having("CreateReferral", kind="CONSULAR_IDENTITY")
    scenario.having("CreateReferral", kind="EXIT_PERMIT")
    for kind in ("CONSULAR_IDENTITY", "EXIT_PERMIT"):
        assert RECIPIENT_OF[ReferralKind(kind)] in AUTHORITIES | {Recipient.EMBASSY}
        assert scenario.referral(kind).status == "DRAFT"


# Recipients

SENT_THERE = sorted(SENSITIVE & {kind for partner in STANDARD for kind in partner.kinds})


@pytest.mark.parametrize("partner", [*STANDARD, *PARTNERS.partners.values()], ids=lambda partner: partner.partner_id)
def test_no_partner_id_reveals_a_sensitive_service(partner: RegisteredPartner | Partner) -> None:
    assert revealing_word(partner.partner_id, partner.kinds) is None
    assert not RESTRICTED.search(partner.partner_id.upper())


@pytest.mark.parametrize("kind", SENT_THERE)
def test_a_referral_to_a_sample_partner_reveals_nothing_in_public(kind: ReferralKind) -> None:
    scenario = a_screened_case()
    scenario.directory = Directory({p.partner_id: Partner(p.partner_id, p.kinds, p.country) for p in STANDARD})
    for purpose in Purpose:
        scenario.having("RecordConsent", purpose=purpose, form_version="C-1", language="en")
    before = len(scenario.events)

    scenario.having("CreateReferral", kind=kind)
    scenario.having("CancelReferral", referral_id=scenario.referral(kind).referral_id, reason=TYPED_TEXT)

    for event in scenario.events[before:]:
        assert not RESTRICTED.search(neutral(event).upper()), neutral(event)
        assert (
            revealing_word(str(event.facts.get("partner_id") or event.facts.get("recipient") or ""), SENSITIVE) is None
        )


@pytest.mark.parametrize(
    ("partner_id", "word"),
    [
        *(("unhcr-libya", "unhcr"), ("MHPSS-provider", "mhpss"), ("safe-house-benghazi", "safe-house")),
        *(("child-protection", "child"), ("house-for-vot", "vot"), ("gbv.clinic", "gbv"), ("shelter1", "shelter")),
        *(("anti-trafficking-unit", "traffick"), ("psychologue-tunis", "psych"), ("safehouse-2", "safehouse")),
    ],
)
def test_a_revealing_word_in_an_id_is_found(partner_id: str, word: str) -> None:
    assert revealing_word(partner_id, SENSITIVE) == word
    assert revealing_word(partner_id, {ReferralKind.EXIT_PERMIT}) is None, "the service is not sensitive"


@pytest.mark.parametrize("partner_id", ["partner-017", "pivot-tripoli", "clinic-tripoli", "hotbed", "office-7"])
def test_an_id_without_a_revealing_word_is_accepted(partner_id: str) -> None:
    assert revealing_word(partner_id, SENSITIVE) is None


def test_no_message_is_registered_under_two_names() -> None:
    assert len({id(message) for message in MESSAGES.values()}) == len(MESSAGES)
