"""The minimum data set: what each partner is told about a person, and never a field more (domain.md 6.4)."""

from __future__ import annotations

import pytest

from domain.moment import Directory, Partner
from domain.outgoing import outgoing
from domain.partner import MAY_SEE, PUBLIC_PURPOSE, PURPOSE_OF, RECIPIENT_OF, Recipient, minimum_data, purpose_of
from domain.person import Person
from domain.policy import NEWEST
from domain.words import PUBLIC_KIND, Purpose, ReferralKind
from tests.builders import AMINATA, FLIGHT, Told, a_cleared_case, a_screened_case

NAME = "family_name given_names"
WHO = f"{NAME} sex date_of_birth dob_precision"
TABLE = {
    "EMBASSY":             f"{WHO} name_native_script nationality",
    "EXIT_AUTHORITY":      f"{WHO} nationality document flight",
    "DETENTION_AUTHORITY": f"{WHO} nationality",
    "CARRIER":             f"{NAME} sex document flight",
    "CLINIC":              f"{WHO} phone languages",
    "MHPSS":               "given_names phone languages",
    "PROTECTION":          "given_names phone languages",
    "UNHCR":               f"{WHO} nationality phone languages",
    "COMMUNITY":           "given_names phone",
    "TRANSIT":             f"{NAME} sex flight",
    "RECEPTION":           f"{WHO} nationality phone languages flight",
    "REINTEGRATION":       f"{NAME} phone languages item",
    "SHELTER":             "given_names phone languages",
    "LEGAL":               f"{NAME} phone languages",
    "TRACING":             f"{WHO} nationality",
    "GUARDIANSHIP":        f"{WHO} nationality",
}  # fmt: skip
FIELDS = sorted({*Person.model_fields, "document", "flight", "item"})
ASKED = sorted(RECIPIENT_OF)
NATIVE = AMINATA.model_copy(update={"name_native_script": "أميناتا"})
ANYBODY = Directory({"anybody": Partner("anybody", frozenset(ReferralKind))})


@pytest.fixture(scope="module")
def known() -> Told:
    """A case of which everything is known: person, document, flight."""
    told = a_cleared_case().having("NominatePassenger", **FLIGHT).having("TakeSeat", **FLIGHT, destination="LOS")
    told.case.person = NATIVE
    told.directory = ANYBODY
    for kind in ASKED:
        told.having("CreateReferral", kind=kind)
    for referral in told.case.referrals.values():
        referral.item = "shop"
    return told


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize("kind", ASKED)
def test_a_partner_sees_a_field_only_if_its_row_says_so(known: Told, kind: str, field: str) -> None:
    told = minimum_data(known.case, known.referral(kind))
    assert (field in told) is (field in TABLE[RECIPIENT_OF[ReferralKind(kind)]].split())


@pytest.mark.parametrize("recipient", list(Recipient))
def test_the_rows_are_these(recipient: Recipient) -> None:
    assert MAY_SEE[recipient] == frozenset(TABLE[recipient].split())


@pytest.mark.parametrize("recipient", ["EMBASSY", "EXIT_AUTHORITY", "DETENTION_AUTHORITY", "CARRIER", "TRANSIT"])
def test_those_who_could_follow_the_person_never_get_a_telephone(recipient: str) -> None:
    assert "phone" not in MAY_SEE[Recipient(recipient)]


@pytest.mark.parametrize("kind", sorted(set(ReferralKind) - {ReferralKind.HEALTH_SERVICE}))
def test_every_kind_has_a_recipient_a_purpose_and_deadlines(kind: ReferralKind) -> None:
    assert purpose_of(kind) in Purpose
    assert NEWEST.pinned.answers[kind].stands.amount > 0


def test_every_recipient_is_told_on_a_consent_of_its_own() -> None:
    assert set(PURPOSE_OF) == set(Recipient)


def test_the_purpose_beside_a_disclosure_tells_no_more_than_the_public_kind() -> None:
    hidden = {purpose_of(kind) for kind, public in PUBLIC_KIND.items() if public is not ReferralKind.HEALTH_SERVICE}
    shown = {PUBLIC_PURPOSE.get(purpose, purpose) for purpose in hidden - {Purpose.SHARE_RECEPTION}}
    assert shown == {Purpose.SHARE_PROTECTION}


def test_what_leaves_is_what_is_on_record() -> None:
    told = a_screened_case()
    disclosed = {event.facts["referral_id"]: event.facts["fields"] for event in told.named("DisclosureRecorded")}
    sent = [
        message for event in told.events if (message := outgoing(told.case, event)) and message.name == "referral.sent"
    ]
    assert len(sent) == len(disclosed) == 2
    assert sorted(tuple(sorted(message.data["person"])) for message in sent) == sorted(disclosed.values())
