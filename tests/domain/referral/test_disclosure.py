"""The minimum data set: each partner receives its fields about a person, and no others.

See rules DISCLOSURE.MINIMUM_DATA, DISCLOSURE.EMBASSY_AND_AUTHORITIES.
"""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from domain.events.escalation import ReferralReminderSent
from domain.events.referral import ReferralAmended, ReferralCancellationNotified, ReferralSent
from domain.kernel.directory import Directory, Partner
from domain.kernel.person import Interview, Person
from domain.kernel.policy import NEWEST
from domain.kernel.vocabulary import PUBLIC_KIND, Purpose, ReferralKind, Sex
from domain.referral.disclosure import (
    MAY_SEE,
    NOT_PERSONAL,
    PUBLIC_PURPOSE,
    PURPOSE_OF,
    RECIPIENT_OF,
    Recipient,
    minimum_data,
    purpose_of,
)
from domain.referral.notifications import NOTIFICATIONS, notifications_of
from tests.support.assertions import neutral
from tests.support.builders import FLIGHT, PARTNERS, CaseScenario, a_cleared_case, a_screened_case

NAME = "family_name given_names"

WHO = f"{NAME} sex date_of_birth dob_precision"

TABLE = {
    "EMBASSY":             f"{WHO} name_native_script nationality iom_line interview",
    "EXIT_AUTHORITY":      f"{WHO} nationality document flight",
    "DETENTION_AUTHORITY": f"{WHO} nationality",
    "CARRIER":             f"{NAME} sex age_class document flight",
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

ASKED = sorted(RECIPIENT_OF)

PERSON = Person(
    family_name="Marked-family-name",
    given_names="Marked-given-name",
    name_native_script="Marked-native-script",
    sex=Sex.FEMALE,
    date_of_birth=date(1996, 4, 2),
    nationality="NGA",
    phone="+218912345678",
    languages=("marked-language",),
)

MARKS = {
    "family_name": "Marked-family-name",
    "given_names": "Marked-given-name",
    "name_native_script": "Marked-native-script",
    "sex": '"FEMALE"',
    "date_of_birth": "1996-04-02",
    "dob_precision": '"DAY"',
    "nationality": '"NGA"',
    "phone": "+218912345678",
    "languages": "marked-language",
    "document": "LP-100",
    "flight": FLIGHT["movement"],
    "age_class": '"ADT"',
    "item": "marked-item",
    "iom_line": NEWEST.in_force.iom_line,
    "interview": "Marked-consulate",
}
"""A recognisable value of each field, to be found in a message under any name."""


@pytest.fixture(scope="module")
def known() -> CaseScenario:
    """A case with all data: person, document, flight, item, interview."""
    scenario = a_cleared_case().having("NominatePassenger", **FLIGHT).having("TakeSeat", **FLIGHT, destination="LOS")
    scenario.case.person = PERSON
    scenario.directory = Directory({"anybody": Partner("anybody", frozenset(ReferralKind))})
    for kind in ASKED:
        scenario.having("CreateReferral", kind=kind)
    for referral in scenario.case.referrals.values():
        referral.item, referral.token = "marked-item", "a token"
        referral.interview = Interview(place="Marked-consulate", at="2026-12-01T08:00:00Z")
    return scenario


def test_every_field_of_a_person_has_a_mark() -> None:
    assert set(MARKS) == {*Person.model_fields, *("document", "flight", "age_class", "item", "iom_line", "interview")}


def messages(scenario: CaseScenario, kind: str) -> list[dict[str, Any]]:
    """All messages that can be sent about a referral."""
    mine = scenario.referral(kind)
    about = {"referral_id": mine.referral_id, "kind": mine.kind, "partner_id": mine.partner_id}
    events = (
        ReferralSent.model_validate({**about, "token": mine.token, "dues": mine.dues}),
        ReferralAmended.model_validate(about),
        ReferralReminderSent.model_validate({**about, "rung": "ack.overdue", "step": "ack", "due": scenario.now}),
        ReferralCancellationNotified.model_validate({**about, "reason": "CASE_NOT_PROCEEDING"}),
    )
    assert {type(event) for event in events} == set(NOTIFICATIONS)
    sent = [notifications_of(scenario.case, event.placed_in(scenario.case.id, 1, scenario.now)) for event in events]
    return [message.data for message in sent if message is not None]


@pytest.mark.parametrize("field", sorted(MARKS))
@pytest.mark.parametrize("kind", ASKED)
def test_only_fields_in_the_recipients_row_are_sent(known: CaseScenario, kind: str, field: str) -> None:
    """Covers all kinds, fields and messages, and looks for values, whatever the name of the field."""
    row = TABLE[RECIPIENT_OF[ReferralKind(kind)]].split()
    request, *others = messages(known, kind)
    assert (MARKS[field] in json.dumps(request, ensure_ascii=False, default=str)) is (field in row)
    for message in others:
        assert field in row or MARKS[field] not in json.dumps(message, ensure_ascii=False, default=str)


@pytest.mark.parametrize("recipient", list(Recipient))
def test_the_rows_are_these(recipient: Recipient) -> None:
    assert MAY_SEE[recipient] == frozenset(TABLE[recipient].split())


@pytest.mark.parametrize("kind", ASKED)
def test_reminders_and_notices_of_an_end_contain_no_personal_data(known: CaseScenario, kind: str) -> None:
    *_, reminder, ending = messages(known, kind)
    for message in (reminder, ending):
        assert not [mark for mark in MARKS.values() if mark in json.dumps(message, default=str)]


@pytest.mark.parametrize("recipient", ["EMBASSY", "EXIT_AUTHORITY", "DETENTION_AUTHORITY", "CARRIER", "TRANSIT"])
def test_recipients_that_could_trace_the_person_never_get_a_phone_number(recipient: str) -> None:
    assert "phone" not in MAY_SEE[Recipient(recipient)]


def test_a_detention_authority_receives_less_than_an_exit_authority() -> None:
    exit_only = MAY_SEE[Recipient.EXIT_AUTHORITY] - MAY_SEE[Recipient.DETENTION_AUTHORITY]
    assert exit_only == {"document", "flight"}


def test_an_embassy_receives_a_place_only_for_the_interview() -> None:
    seen = {"place": "Consulate, Tripoli", "at": "2026-12-01T08:00:00Z"}
    scenario = a_screened_case().having("CreateReferral", kind="CONSULAR_IDENTITY", interview=seen)
    assert (
        minimum_data(scenario.case, scenario.referral("CONSULAR_IDENTITY"))["interview"]["place"]
        == "Consulate, Tripoli"
    )
    assert "interview" not in minimum_data(scenario.case, scenario.referral("CONSULAR_IDENTITY", 0))
    assert scenario.refused("CreateReferral", kind="TRAVEL_DOCUMENT", interview=seen).rule == "REFERRAL.NO_INTERVIEW"


def test_the_place_of_the_interview_is_sealed() -> None:
    seen = {"place": "Consulate, Tripoli", "at": "2026-12-01T08:00:00Z"}
    created = a_screened_case().send("CreateReferral", kind="CONSULAR_IDENTITY", interview=seen)[0]
    assert "Tripoli" not in neutral(created)


@pytest.mark.parametrize(
    ("born", "named"),
    [("2025-01-01", "INF"), ("2024-12-15", "INF"), ("2024-12-14", "CHD"), ("2014-12-15", "CHD"), ("2014-12-14", "ADT")],
)
def test_a_carrier_receives_the_age_class_on_the_day_of_the_flight_and_no_date_of_birth(
    known: CaseScenario, born: str, named: str
) -> None:
    person, known.case.person = known.case.person, PERSON.model_copy(update={"date_of_birth": date.fromisoformat(born)})
    data = minimum_data(known.case, known.referral("MOVEMENT_BOOKING"))
    known.case.person = person
    assert data["age_class"] == named
    assert "date_of_birth" not in data


def test_a_community_leader_receives_one_request_only(known: CaseScenario) -> None:
    known.referral("COMMUNITY_LIAISON").urgent = True
    request = messages(known, "COMMUNITY_LIAISON")[0]
    assert request["person"] == {"given_names": "Marked-given-name", "phone": "+218912345678"}
    assert (request["says"], request["urgent"]) == ("PLEASE_CALL_IOM", False)


@pytest.mark.parametrize("kind", sorted(set(ReferralKind) - {ReferralKind.HEALTH_SERVICE}))
def test_every_kind_has_a_recipient_a_purpose_and_deadlines(kind: ReferralKind) -> None:
    assert purpose_of(kind) in Purpose
    assert NEWEST.pinned.answer(kind, urgent=False).stands.amount > 0


def test_every_recipient_requires_a_consent_of_its_own() -> None:
    assert set(PURPOSE_OF) == set(Recipient)


def test_the_purpose_of_a_disclosure_reveals_no_more_than_the_public_kind() -> None:
    hidden = {purpose_of(kind) for kind, public in PUBLIC_KIND.items() if public is not ReferralKind.HEALTH_SERVICE}
    shown = {PUBLIC_PURPOSE.get(purpose, purpose) for purpose in hidden - {Purpose.SHARE_RECEPTION}}
    assert shown == {Purpose.SHARE_PROTECTION}


def test_the_fields_sent_are_the_fields_recorded() -> None:
    scenario = a_screened_case()
    disclosed = {event.facts["referral_id"]: event.facts["fields"] for event in scenario.named("DisclosureRecorded")}
    sent = [
        message
        for event in scenario.events
        if (message := notifications_of(scenario.case, event)) and message.name == "referral.sent"
    ]
    assert len(sent) == len(disclosed) == 2
    left = [tuple(sorted(message.data["person"].keys() - NOT_PERSONAL)) for message in sent]
    assert sorted(left) == sorted(disclosed.values())


# Partners that must report people (rule PARTNER.MANDATORY_REPORTING)


def with_a_reporting_clinic() -> CaseScenario:
    scenario = a_screened_case()
    clinic = replace(PARTNERS.partners["clinic-misrata"], mandatory_reporting=True)
    scenario.directory = Directory({**PARTNERS.partners, "clinic-misrata": clinic})
    return scenario


def test_a_partner_that_must_report_is_never_chosen_automatically() -> None:
    scenario = with_a_reporting_clinic().having("CreateReferral", kind="MEDICAL_ASSESSMENT")
    assert scenario.referral("MEDICAL_ASSESSMENT").partner_id == "clinic-tripoli"


def test_a_partner_that_must_report_requires_that_the_person_was_informed() -> None:
    scenario = with_a_reporting_clinic()
    order = {"kind": "MEDICAL_ASSESSMENT", "partner_id": "clinic-misrata"}
    assert scenario.refused("CreateReferral", **order).rule == "PARTNER.MANDATORY_REPORTING"
    scenario.having("CreateReferral", **order, informed=True)
    assert (scenario.referral("MEDICAL_ASSESSMENT").status, scenario.referral("MEDICAL_ASSESSMENT").informed) == (
        "SENT",
        True,
    )


def test_reassignment_to_a_partner_that_must_report_requires_the_same() -> None:
    scenario = with_a_reporting_clinic().having("CreateReferral", kind="MEDICAL_ASSESSMENT")
    scenario.having_signal("MEDICAL_ASSESSMENT", "REJECTED")
    order = {
        "referral_id": scenario.referral("MEDICAL_ASSESSMENT").referral_id,
        "partner_id": "clinic-misrata",
        "reason": "x",
    }
    assert scenario.refused("ReassignReferral", **order).rule == "PARTNER.MANDATORY_REPORTING"
    assert scenario.having("ReassignReferral", **order, informed=True).referral("MEDICAL_ASSESSMENT").status == "SENT"


def test_a_draft_waits_if_its_partner_must_report_by_now() -> None:
    scenario = a_screened_case().having("PlaceHold", hold_type="CONSENT", reason="x")
    scenario.having("CreateReferral", kind="RECEPTION")
    scenario.directory = Directory(
        {**PARTNERS.partners, "reception-nga": replace(PARTNERS.partners["reception-nga"], mandatory_reporting=True)}
    )
    scenario.case.holds.clear()
    scenario.having("RecordConsent", purpose="SHARE_RECEPTION", form_version="2", language="en")
    draft = scenario.referral("RECEPTION")
    assert draft.status == "DRAFT"
    assert scenario.refused("SendReferral", referral_id=draft.referral_id).rule == "PARTNER.MANDATORY_REPORTING"


def test_staff_send_a_draft_once_nothing_blocks_it() -> None:
    scenario = a_screened_case().having("PlaceHold", hold_type="CONSENT", reason="x")
    scenario.having("CreateReferral", kind="RECEPTION")
    scenario.case.holds.clear()
    decided = scenario.send("SendReferral", referral_id=scenario.referral("RECEPTION").referral_id)
    assert [event.name for event in decided] == ["ReferralSent", "DisclosureRecorded"]


def test_a_task_asks_for_another_partner_where_all_must_report() -> None:
    scenario = a_screened_case()
    scenario.directory = Directory(
        {"clinic": Partner("clinic", frozenset({ReferralKind.SPECIALIST_CARE}), mandatory_reporting=True)}
    )
    scenario.having("CreateReferral", kind="SPECIALIST_CARE")
    assert [task.task for task in scenario.case.tasks.values()] == ["find a partner for HEALTH_SERVICE"]


def test_an_embassy_receives_only_the_iom_phone_line(known: CaseScenario) -> None:
    data = minimum_data(known.case, known.referral("CONSULAR_IDENTITY"))
    assert data["iom_line"] == NEWEST.in_force.iom_line
    assert MARKS["phone"] not in json.dumps(data)
