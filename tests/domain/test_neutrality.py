"""What stands outside sealed fields tells nothing: state is rebuilt without them, and no restricted word is in it."""

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
    told = CASES[journey]()
    assert public(folded(redacted(event) for event in told.events)) == public(told.case)


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
def test_no_restricted_fact_stands_in_a_public_field(journey: str) -> None:
    for event in CASES[journey]().events:
        assert not RESTRICTED.search(neutral(event).upper()), neutral(event)


@pytest.mark.parametrize("journey", CASES)
def test_nobody_is_named_in_a_public_field(journey: str) -> None:
    for event in CASES[journey]().events:
        assert not WHO.search(neutral(event).upper()), neutral(event)


@pytest.mark.parametrize("journey", CASES)
def test_who_is_asked_for_refuge_is_named_only_where_the_person_consents(journey: str) -> None:
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
def test_what_somebody_types_never_stands_in_a_public_field(name: str) -> None:
    begin, fields = TYPED[name]
    decided = begin().say(MESSAGES[name].model_validate(fields))
    assert TYPED_TEXT in repr(decided)
    assert all(TYPED_TEXT not in neutral(event) for event in decided)


def test_a_review_that_may_release_nothing_looks_like_one_that_released_nothing() -> None:
    afraid = fear_at_screening()
    hold = afraid.held("PROTECTION").hold_id
    asked, released = "letters may go", ("EMBASSY_DISCLOSURE",)
    reviewed = afraid.send("ReviewHold", hold_id=hold, decision=asked, unblock=released)[0]
    plain = fear_at_screening().send("ReviewHold", hold_id=hold, decision="it goes on")[0]
    assert neutral(reviewed) == neutral(plain)
    assert reviewed.facts["decision"] != asked, "under the seal it is said that nothing was released"
    assert "EMBASSY_DISCLOSURE" in afraid.held("PROTECTION").blocks


@pytest.mark.parametrize("topic", sorted(REGISTRY))
def test_no_name_of_an_event_tells_a_restricted_fact(topic: str) -> None:
    spoken = f"{topic} {REGISTRY[topic].SENTENCE}"
    assert not RESTRICTED.search(spoken.upper().replace("RETURNEEMET", ""))


def test_a_hold_for_fear_looks_like_any_protection_hold() -> None:
    plain = a_screened_case().having("PlaceHold", hold_type="PROTECTION", reason="family dispute").held("PROTECTION")
    for told in (fear_at_screening(), fear_at_the_airport()):
        hold = told.held("PROTECTION")
        assert (hold.type, hold.owner, hold.blocks) == (plain.type, plain.owner, plain.blocks)


def test_every_protection_hold_is_reviewed_after_the_same_time() -> None:
    plain = a_screened_case().having("PlaceHold", hold_type="PROTECTION", reason="family dispute")
    afraid = a_screened_case().having("RecordNonRefoulementScreen", outcome="CLAIM")
    assert plain.held("PROTECTION").review_by == afraid.held("PROTECTION").review_by


def test_only_public_types_of_holds_exist_outside() -> None:
    assert not {"ASYLUM", "REFLECTION_PERIOD", "TRAFFICKING", "GBV"} & set(HoldType)
    assert set(BLOCKS) == set(HoldType)


@pytest.mark.parametrize("kind", sorted(PUBLIC_KIND))
def test_a_telling_kind_of_referral_has_a_neutral_public_name(kind: ReferralKind) -> None:
    told = a_screened_case()
    told.directory = type(told.directory)(
        {"p": next(iter(told.directory.partners.values())).__class__("p", frozenset(ReferralKind))}
    )
    told.having("CreateReferral", kind=kind)
    referral = told.referral(kind)
    assert referral.kind is PUBLIC_KIND[kind]
    assert referral.kind != kind
    assert str(kind) not in neutral(told.named("ReferralCreated")[-1])


@pytest.mark.parametrize("reason", list(ClosureReason))
def test_every_reason_for_closing_has_a_public_one(reason: ClosureReason) -> None:
    assert PUBLIC_CLOSURE[reason] in PublicClosure


def test_many_reasons_share_the_public_one_that_hides_them() -> None:
    hidden = [
        reason for reason, shown in PUBLIC_CLOSURE.items() if shown is PublicClosure.NOT_PROCEEDING_SUPPORT_CONTINUES
    ]
    assert len(hidden) == 7


@pytest.mark.parametrize("afraid", [fear_at_screening, fear_at_the_airport])
def test_an_embassy_or_authority_is_never_told_why(afraid: object) -> None:
    told: CaseScenario = afraid()  # type: ignore[operator]
    for event in told.events:
        message = notifications_of(told.case, event)
        if message is not None and message.partner_id in ("embassy-nga", "exit-authority"):
            assert not RESTRICTED.search(repr(message).upper()), message


def test_the_embassy_hears_nothing_new_while_the_person_is_afraid() -> None:
    told = fear_at_screening()
    told.having("CreateReferral", kind="CONSULAR_IDENTITY")
    told.having("CreateReferral", kind="EXIT_PERMIT")
    for kind in ("CONSULAR_IDENTITY", "EXIT_PERMIT"):
        assert RECIPIENT_OF[ReferralKind(kind)] in AUTHORITIES | {Recipient.EMBASSY}
        assert told.referral(kind).status == "DRAFT"


# Whom it is for

SENT_THERE = sorted(SENSITIVE & {kind for partner in STANDARD for kind in partner.kinds})


@pytest.mark.parametrize("partner", [*STANDARD, *PARTNERS.partners.values()], ids=lambda partner: partner.partner_id)
def test_no_id_of_a_partner_tells_for_what_somebody_is_sent_there(partner: RegisteredPartner | Partner) -> None:
    assert revealing_word(partner.partner_id, partner.kinds) is None
    assert not RESTRICTED.search(partner.partner_id.upper())


@pytest.mark.parametrize("kind", SENT_THERE)
def test_a_referral_to_a_standard_partner_tells_nothing_in_public(kind: ReferralKind) -> None:
    told = a_screened_case()
    told.directory = Directory({p.partner_id: Partner(p.partner_id, p.kinds, p.country) for p in STANDARD})
    for purpose in Purpose:
        told.having("RecordConsent", purpose=purpose, form_version="C-1", language="en")
    before = len(told.events)

    told.having("CreateReferral", kind=kind)
    told.having("CancelReferral", referral_id=told.referral(kind).referral_id, reason=TYPED_TEXT)

    for event in told.events[before:]:
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
def test_an_id_tells_by_a_word(partner_id: str, word: str) -> None:
    assert revealing_word(partner_id, SENSITIVE) == word
    assert revealing_word(partner_id, {ReferralKind.EXIT_PERMIT}) is None, "what anybody may know"


@pytest.mark.parametrize("partner_id", ["partner-017", "pivot-tripoli", "clinic-tripoli", "hotbed", "office-7"])
def test_an_id_may_be_a_name_that_tells_nothing(partner_id: str) -> None:
    assert revealing_word(partner_id, SENSITIVE) is None


def test_no_message_is_registered_under_two_names() -> None:
    assert len({id(message) for message in MESSAGES.values()}) == len(MESSAGES)
