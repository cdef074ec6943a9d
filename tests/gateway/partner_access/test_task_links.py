"""Task links from the view of a partner without a system: a code, a page, an answer, a receipt."""

from __future__ import annotations

import asyncio
import html
import re
from datetime import timedelta
from typing import Any
from uuid import uuid4

import asyncpg
import httpx2
import pytest

from audit.live_case import live_case
from domain.case.aggregate import Seat
from domain.clearance.nationality import nationality_confirmed
from domain.events.partner_report import PartnerReport
from domain.kernel.vocabulary import TERMINAL, HoldType, ReferralStatus
from domain.referral.disclosure import minimum_data
from gateway.intake.service import Intake
from gateway.intake.submission import DeclinedError
from gateway.pages.outcome_choices import fitting
from gateway.partner_access import task_links
from gateway.partner_access.task_links import CALLS, task_of
from gateway.public_address import PublicAddress
from store.messages.outbox import Delivery, Outbox
from store.partners.registry import RegisteredPartner, add
from store.postgres import clock
from tests.gateway.conftest import REGISTRATION, an_app
from tests.gateway.test_server import serving
from tests.support.builders import FLIGHT, MONDAY, NAMESPACE
from tests.support.databases import Database
from tests.support.referral_fixtures import (
    ALL_KINDS,
    LINE,
    PARTNER,
    PERSONAL,
    Browser,
    SentReferrals,
    a_case_with_partners,
    hidden,
    offered,
    receipt_of,
)

CONFIRMED = "COMPLETED:NATIONALITY_CONFIRMED"

ON_PAPER = {"form_version": "C-1", "language": "en"}

WRONG = ("000001", "000002", "000003", "000004", "000005")


@pytest.fixture
async def referrals(intake: Intake) -> SentReferrals:
    return await a_case_with_partners(intake, "CONSULAR_IDENTITY")


@pytest.fixture
def embassy(client: httpx2.AsyncClient) -> Browser:
    return Browser(client)


@pytest.fixture
async def owner(database: Database) -> Any:
    """A database role that may change any row."""
    connection = await asyncpg.connect(database.owner_dsn)
    yield connection
    await connection.close()


def wrong_for(code: str) -> list[str]:
    """Returns five wrong codes."""
    return [each if each != code else "999999" for each in WRONG]


def outside(page: httpx2.Response) -> tuple[int, bytes, dict[str, str]]:
    """Returns everything of a response that is visible from outside."""
    return page.status_code, page.content, dict(page.headers)


# From the code to the receipt


async def test_an_embassy_confirms_a_nationality_with_a_link_and_a_code(
    referrals: SentReferrals, embassy: Browser
) -> None:
    issued = await referrals.link()

    first = await embassy.goes_to(f"/p/{issued.token}")
    page = await embassy.opens(issued)
    answer = await embassy.sends(issued, page, CONFIRMED)
    await referrals.record()

    assert (first.status_code, page.status_code, answer.status_code) == (200, 200, 200)
    assert not [word for word in PERSONAL if word in first.text]
    assert "Aminata" in page.text
    assert CONFIRMED in offered(page)
    assert [signal["status"] for signal in await referrals.signals()] == ["applied", "applied"]
    assert receipt_of(answer)
    kept = await referrals.intake.pool.fetchval("SELECT receipt FROM task_link_answers WHERE receipt IS NOT NULL")
    assert kept == str((await referrals.signals())[-1]["message_id"]), "the log shows which signals came by a link"
    assert nationality_confirmed(await referrals.case())


async def test_the_receipt_says_number_time_and_words_and_the_link_is_used_up(
    referrals: SentReferrals, embassy: Browser
) -> None:
    issued = await referrals.link()
    page = await embassy.opens(issued)

    answer = await embassy.sends(issued, page, CONFIRMED, note="file 7", day="2026-01-05")

    assert "Nationality confirmed" in answer.text
    assert "file 7" in answer.text
    assert "2026-01-05" in answer.text
    assert re.search(r"20\d\d-\d\d-\d\d \d\d:\d\d UTC<", answer.text)
    assert re.search(r"20\d\d-\d\d-\d\d \d\d:\d\d UTC\+1<", answer.text)
    assert "The link can no longer be used." in answer.text
    assert not [word for word in PERSONAL[:2] if word in answer.text]
    assert (await embassy.opens(issued)).status_code == 403


async def test_opening_it_is_the_acknowledgement_and_is_kept(referrals: SentReferrals, embassy: Browser) -> None:
    issued = await referrals.link()

    await embassy.opens(issued)
    await embassy.opens(issued)
    await referrals.record()

    assert (await referrals.referral("CONSULAR_IDENTITY")).status is ReferralStatus.ACKNOWLEDGED
    assert [(each["actor"], each["source"]) for each in await referrals.signals()] == [(f"partner:{PARTNER}",) * 2]
    opened = await referrals.links.links.openings([issued.link.link_id])
    assert len(opened[issued.link.link_id]) == 2


async def test_yes_today_and_done_tomorrow_go_with_the_same_link(referrals: SentReferrals, embassy: Browser) -> None:
    issued = await referrals.link()

    yes = await embassy.sends(issued, await embassy.opens(issued), "ACCEPTED")
    await referrals.record()
    again = await embassy.opens(issued)
    assert "ACCEPTED" not in offered(again)
    assert "open the same link again" in yes.text
    done = await embassy.sends(issued, again, CONFIRMED)
    await referrals.record()

    assert "The link can no longer be used." in done.text
    assert (await referrals.referral("CONSULAR_IDENTITY")).status is ReferralStatus.COMPLETED


async def test_not_possible_is_a_refusal_before_the_work_and_a_failure_after(
    referrals: SentReferrals, embassy: Browser
) -> None:
    issued = await referrals.link()
    before = await embassy.opens(issued)
    await embassy.sends(issued, before, "STARTED")
    await referrals.record()

    after = await embassy.opens(issued)
    await embassy.sends(issued, after, "FAILED", note="the file is lost")
    await referrals.record()

    assert "REJECTED" in offered(before)
    assert "FAILED" not in offered(before)
    assert "FAILED" in offered(after)
    assert "REJECTED" not in offered(after)
    assert (await referrals.referral("CONSULAR_IDENTITY")).status is ReferralStatus.FAILED


async def test_what_is_not_finished_is_told_as_progress(referrals: SentReferrals, embassy: Browser) -> None:
    issued = await referrals.link()

    await embassy.sends(issued, await embassy.opens(issued), "PROGRESS:VERIFICATION_IN_CAPITAL")
    await referrals.record()

    assert not (await referrals.referral("CONSULAR_IDENTITY")).over
    assert "ReferralProgressReported" in [event.name for event in await referrals.events()]


async def test_an_issued_document_comes_with_its_number_and_its_end(intake: Intake, embassy: Browser) -> None:
    referrals = await a_case_with_partners(intake, "TRAVEL_DOCUMENT")
    issued = await referrals.link("TRAVEL_DOCUMENT")
    page = await embassy.opens(issued)

    bare = await embassy.sends(issued, page, "COMPLETED:ISSUED", number="LP-7")
    full = await embassy.sends(
        issued, page, "COMPLETED:ISSUED", number="LP-7", expires_on="2099-01-31", kind="LAISSEZ_PASSER"
    )
    await referrals.record()

    assert bare.status_code == 422
    assert 'value="LP-7"' in bare.text
    assert "LP-7" in full.text
    (paper,) = [event for event in await referrals.events() if event.name == "TravelDocumentIssued"]
    assert (paper.facts["number"], str(paper.facts["expires_on"])) == ("LP-7", "2099-01-31")


async def test_the_identity_check_is_reported_when_a_child_is_handed_over(intake: Intake, embassy: Browser) -> None:
    referrals = await a_case_with_partners(intake, "CHILD_HANDOVER")
    issued = await referrals.link("CHILD_HANDOVER")

    page = await embassy.opens(issued)
    receipt = await embassy.sends(issued, page, "COMPLETED:HANDED_OVER", id_checked="yes")
    await referrals.record()

    assert 'type="checkbox" name="id_checked"' in page.text
    assert "The identity document was checked" in receipt.text
    reports = [
        (event.name, event.visible_answer.get("payload"))
        for event in await referrals.events()
        if isinstance(event, PartnerReport)
    ]
    assert reports[-1] == ("ReferralAccepted", {"id_checked": True}), "before the flight, done is a promise"


async def test_the_day_of_an_examination_reaches_the_clearance(intake: Intake, embassy: Browser) -> None:
    referrals = await a_case_with_partners(intake, "MEDICAL_ASSESSMENT")
    issued = await referrals.link("MEDICAL_ASSESSMENT")
    day = (await clock.now(intake.pool) - timedelta(days=10)).date()

    await embassy.sends(issued, await embassy.opens(issued), "COMPLETED:NO_SIGNIFICANT_CONDITION", day=day.isoformat())
    await referrals.record()

    (granted,) = [event for event in await referrals.events() if event.name == "ClearanceGranted"]
    assert granted.facts["valid_until"].date() == day + timedelta(days=90)


async def test_a_link_is_opened_and_answered_over_a_real_port_and_logged_nowhere(
    referrals: SentReferrals, database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    issued = await referrals.link()
    async with serving(database) as (client, _, _):
        embassy = Browser(client)
        answers = [await embassy.sends(issued, await embassy.opens(issued), CONFIRMED, note="for Aminata")]
        answers.append(await embassy.opens(issued))

    assert [answer.status_code for answer in answers] == [200, 403]
    assert answers[0].headers["cache-control"] == "no-store"
    logged = " ".join(each.getMessage() for each in caplog.records if each.name.startswith(("awda", "uvicorn")))
    assert [secret for secret in (issued.token, issued.code, *PERSONAL) if secret in logged] == []


# What is visible from outside


async def test_unknown_used_expired_withdrawn_and_locked_links_are_answered_alike(
    referrals: SentReferrals, embassy: Browser, owner: asyncpg.Connection[Any]
) -> None:
    unknown = await embassy.client.post("/p/0000-0000-0000-0000-0000-0000-00", data={"code": "123456", "lang": "en"})
    seen = {"unknown": outside(unknown)}

    replaced = await referrals.link()
    issued = await referrals.link()
    seen["replaced"] = outside(await embassy.opens(replaced))
    seen["wrong code"] = outside(await embassy.opens(issued, wrong_for(issued.code)[0]))
    seen["no code"] = outside(await embassy.opens(issued, ""))
    await owner.execute("UPDATE task_links SET expires_at = awda_now() - interval '1 s' WHERE ended_at IS NULL")
    seen["expired"] = outside(await embassy.opens(issued))
    issued = await referrals.link()
    await referrals.links.links.revoke(issued.link.link_id)
    seen["revoked"] = outside(await embassy.opens(issued))
    issued = await referrals.link()
    for code in wrong_for(issued.code):
        await embassy.opens(issued, code)
    seen["locked"] = outside(await embassy.opens(issued))
    issued = await referrals.link()
    await embassy.sends(issued, await embassy.opens(issued), CONFIRMED)
    seen["used"] = outside(await embassy.opens(issued))

    assert unknown.status_code == 403
    assert {name: each == seen["unknown"] for name, each in seen.items()} == dict.fromkeys(seen, True)


async def test_before_a_code_is_given_every_link_looks_the_same(referrals: SentReferrals, embassy: Browser) -> None:
    issued = await referrals.link()

    pages = [await embassy.goes_to(f"/p/{token}") for token in (issued.token, "nothing", "0" * 500, "%00", "p%C3%BC")]

    assert len({str(outside(page)) for page in pages}) == 1


async def test_five_wrong_codes_end_a_link_and_four_do_not(referrals: SentReferrals, embassy: Browser) -> None:
    issued = await referrals.link()
    for code in wrong_for(issued.code)[:4]:
        await embassy.opens(issued, code)
    assert (await embassy.opens(issued)).status_code == 200, "a correct code restores its own attempt only"

    await embassy.opens(issued, wrong_for(issued.code)[4])

    assert (await embassy.opens(issued)).status_code == 403


async def test_many_codes_guessed_at_once_count_as_five_attempts_at_most(
    referrals: SentReferrals, embassy: Browser
) -> None:
    issued = await referrals.link()
    guesses = [f"{guess:06}" for guess in range(40) if f"{guess:06}" != issued.code]

    await asyncio.gather(*(embassy.opens(issued, guess) for guess in guesses))

    (link,) = await referrals.links.links.listed()
    assert link.tries == 5
    assert (await embassy.opens(issued)).status_code == 403


async def test_neither_link_nor_code_nor_ticket_nor_name_is_stored(
    referrals: SentReferrals, embassy: Browser, owner: asyncpg.Connection[Any]
) -> None:
    issued = await referrals.link()
    page = await embassy.opens(issued)
    await embassy.sends(issued, page, "ACCEPTED", note="come at nine")

    stored = [
        row[0]
        for table in ("task_links", "task_link_openings", "task_link_answers", "task_link_misses")
        for row in await owner.fetch(f"SELECT t::text FROM {table} t")  # noqa: S608 (a test's own words)
    ]

    secrets = (issued.token, issued.token.replace("-", ""), issued.code, hidden(page)["ticket"], "nine", *PERSONAL)
    assert stored
    assert [
        (secret, row)
        for secret in secrets
        for row in stored
        if secret in row.split(",") or (len(secret) > 6 and secret in row)
    ] == []


async def test_who_opened_when_is_never_changed(referrals: SentReferrals, embassy: Browser, intake: Intake) -> None:
    await embassy.opens(await referrals.link())

    for change in ("UPDATE task_link_openings SET lang = 'xx'", "DELETE FROM task_link_openings"):
        with pytest.raises(asyncpg.PostgresError):
            await intake.pool.execute(change)


async def test_a_link_is_typed_from_paper_in_any_spelling(referrals: SentReferrals, embassy: Browser) -> None:
    issued = await referrals.link()
    typed = issued.token.upper().replace("-", " ").replace("0", "O").replace("1", "I")
    arabic = issued.code.translate(str.maketrans("0123456789", "٠١٢٣٤٥٦٧٨٩"))

    page = await embassy.client.post(f"/p/{typed}", data={"code": f" {arabic[:3]} {arabic[3:]} "})

    assert page.status_code == 200
    assert "Aminata" in page.text


# Issuing


async def test_the_same_key_gives_the_same_link_and_another_key_ends_it(
    referrals: SentReferrals, embassy: Browser
) -> None:
    first, same = await referrals.link(key="k"), await referrals.link(key="k")
    assert (first.token, first.code) == (same.token, same.code)
    assert first.link == same.link

    other = await referrals.link(key="other")

    assert (await embassy.opens(first)).status_code == 403
    assert (await embassy.opens(other)).status_code == 200
    assert {other.token, other.code}.isdisjoint({first.token, first.code})


async def refusal(referrals: SentReferrals, kind: str = "CONSULAR_IDENTITY") -> str | None:
    with pytest.raises(DeclinedError) as error:
        await referrals.link(kind)
    assert "; " in error.value.detail or ": " in error.value.detail, "a reason and a next step"
    return error.value.rule


async def test_no_link_is_issued_without_consent_or_against_a_hold(intake: Intake, embassy: Browser) -> None:
    referrals = await a_case_with_partners(intake, "RECEPTION")
    await embassy.opens(await referrals.link("RECEPTION"))
    await referrals.record()
    await referrals.record_message("PlaceHold", hold_type="CONSENT", reason="not sure any more")
    assert await refusal(referrals, "RECEPTION") == "HOLD.CONSENT"

    await referrals.record_message("WithdrawConsent", purpose="SHARE_RECEPTION")
    assert await refusal(referrals, "RECEPTION") == "CONSENT.SHARE_RECEPTION"


async def test_no_link_is_issued_for_what_has_ended_or_was_never_sent(referrals: SentReferrals) -> None:
    referral = await referrals.referral("CONSULAR_IDENTITY")
    await referrals.record_message("CancelReferral", referral_id=str(referral.referral_id), reason="requested twice")
    assert await refusal(referrals) == "REFERRAL.OVER"

    await referrals.record_message("WithdrawConsent", purpose="SHARE_CLINIC")
    await referrals.refer("MEDICAL_ASSESSMENT")
    assert await refusal(referrals, "MEDICAL_ASSESSMENT") == "REFERRAL.NOT_SENT"


async def test_no_link_is_issued_for_a_partner_that_is_not_active(referrals: SentReferrals, intake: Intake) -> None:
    await add(intake.pool, RegisteredPartner(PARTNER, "Embassy", frozenset(), active=False))

    assert await refusal(referrals) == "PARTNER.INACTIVE"


async def test_a_message_that_is_not_recorded_yet_prevents_a_link(
    referrals: SentReferrals, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(task_links, "PATIENCE_S", 0.1)
    await referrals.submit("WithdrawConsent", purpose="SHARE_EMBASSY")

    assert await refusal(referrals) == "CASE.UNSETTLED"


async def test_a_contradiction_that_is_not_recorded_yet_prevents_a_link(
    referrals: SentReferrals, intake: Intake, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A partner sent two different signals under one id: until both are recorded, nothing more is disclosed."""
    monkeypatch.setattr(task_links, "PATIENCE_S", 0.1)
    referral = await referrals.referral("CONSULAR_IDENTITY")
    signal = {"signal_id": str(uuid4()), "referral_token": referral.token, "occurred_at": "2026-11-23T09:00:00Z"}
    await intake.partners.submit(PARTNER, "one", {**signal, "signal_type": "ACKNOWLEDGED"}, source="paper")
    assert (await referrals.link()).code

    with pytest.raises(DeclinedError):
        await intake.partners.submit(PARTNER, "one", {**signal, "signal_type": "PROGRESS"}, source="paper")

    assert await refusal(referrals) == "CASE.UNSETTLED"


async def test_a_referral_is_meant_by_its_kind_or_by_being_the_only_one(intake: Intake) -> None:
    referrals = await a_case_with_partners(intake, "CONSULAR_IDENTITY")
    only = await referrals.links.issue(referrals.number, user="fatima", key="1")
    await referrals.refer("EXIT_PERMIT")
    with pytest.raises(DeclinedError) as error:
        await referrals.links.issue(referrals.number, user="fatima", key="2")
    named = await referrals.links.issue(referrals.number, user="fatima", key="3", kind="exit_permit")

    assert only.link.referral_id == (await referrals.referral("CONSULAR_IDENTITY")).referral_id
    assert error.value.rule == "LINK.WHICH"
    assert "EXIT_PERMIT" in error.value.detail
    assert named.link.referral_id == (await referrals.referral("EXIT_PERMIT")).referral_id


async def waiting(referrals: SentReferrals) -> Delivery:
    (found,) = await Outbox(referrals.intake.pool).of_partner(PARTNER)
    return found


async def test_issuing_a_link_settles_pending_manual_deliveries(referrals: SentReferrals) -> None:
    await Outbox(referrals.intake.pool).to_hand((await waiting(referrals)).outbox_id, "NO_RECEIVER")

    await referrals.link()

    assert ((await waiting(referrals)).status, (await waiting(referrals)).begun_at is not None) == ("delivered", True)


async def test_opening_a_link_settles_what_was_still_to_be_delivered(
    referrals: SentReferrals, embassy: Browser, owner: Any
) -> None:
    issued = await referrals.link()
    await owner.execute("UPDATE outbox SET begun_at = NULL")

    assert "Aminata" in (await embassy.opens(issued)).text
    assert ((await waiting(referrals)).status, (await waiting(referrals)).begun_at is not None) == ("pending", True)
    await Outbox(referrals.intake.pool).to_hand((await waiting(referrals)).outbox_id, "NO_RECEIVER")
    await embassy.opens(issued)
    assert (await waiting(referrals)).status == "delivered"


async def test_a_page_is_not_shown_when_its_case_goes_on_at_that_moment(
    referrals: SentReferrals, embassy: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    issued = await referrals.link()
    load = live_case

    async def changed_meanwhile(*arguments: Any) -> Any:
        found = await load(*arguments)
        if len(changes) < most_changes:
            changes.append(1)
            await referrals.record_message("AddNote", note="called")
        return found

    monkeypatch.setattr(task_links, "live_case", changed_meanwhile)
    changes, most_changes = list[int](), 1
    assert "Aminata" in (await embassy.opens(issued)).text, "the case is loaded again"
    changes, most_changes = [], 99
    assert "Aminata" not in (await embassy.opens(issued)).text


# What is shown, and when


async def test_the_page_shows_what_was_disclosed_and_nothing_else(intake: Intake, embassy: Browser) -> None:
    referrals = await a_case_with_partners(intake, "RECEPTION")
    await referrals.record_message("AddNote", note="Sister in Abuja")

    page = await embassy.opens(await referrals.link("RECEPTION"))

    assert "+218910000001" in page.text
    assert "Abuja" not in page.text
    assert referrals.number not in page.text
    labels = re.findall(r"<dt>([^<]+)</dt>", page.text)
    assert labels[2:] == ["Family name", "Given names", "Sex", "Date of birth", "Nationality", "Telephone", "Languages"]


async def test_what_is_learned_after_a_disclosure_is_not_shown(intake: Intake) -> None:
    referrals = await a_case_with_partners(intake, "EXIT_PERMIT")
    found = await live_case(intake.pool, intake.keys, referrals.case_id)
    referral = found.case.referrals[(await referrals.referral("EXIT_PERMIT")).referral_id]

    found.case.seat = Seat(NAMESPACE, FLIGHT["movement"], MONDAY, MONDAY, "LOS")

    assert "flight" in minimum_data(found.case, referral), "it may be disclosed"
    assert "flight" not in task_of(found, referral).person, "but it was not disclosed when the referral was sent"


@pytest.mark.parametrize(
    ("order", "fields"),
    [
        ("WithdrawConsent", {"purpose": "SHARE_EMBASSY"}),
        ("RecordConsent", {"purpose": "SHARE_EMBASSY", "excluded_partners": (PARTNER,), **ON_PAPER}),
        ("RecordConsent", {"purpose": "SHARE_EMBASSY", "given": False, **ON_PAPER}),
        ("WithdrawVoluntaryReturn", {"channel": "PHONE"}),
        ("PlaceHold", {"hold_type": "PROTECTION", "reason": "x"}),
        ("RecordNonRefoulementScreen", {"outcome": "CLAIM"}),
        ("CancelReferral", {"reason": "x"}),
    ],
)
async def test_what_forbids_telling_between_issue_and_opening_leaves_an_empty_page(
    referrals: SentReferrals, embassy: Browser, order: str, fields: dict[str, Any]
) -> None:
    issued = await referrals.link()
    more = {"referral_id": str(issued.link.referral_id)} if order == "CancelReferral" else {}
    await referrals.record_message(order, **fields, **more)

    page = await embassy.opens(issued)

    assert page.status_code == 200
    assert "This request has ended" in page.text
    assert not [word for word in PERSONAL if word in page.text]
    assert "nationality" not in page.text.lower()
    assert offered(page) == ["WITHDRAWAL_REPORTED", "CONCERN_REPORTED"]


async def test_an_empty_page_looks_the_same_whatever_the_reason(intake: Intake, embassy: Browser) -> None:
    seen = set()
    for order in ("withdrawn", "afraid", "cancelled"):
        referrals = await a_case_with_partners(intake, "CONSULAR_IDENTITY")
        issued = await referrals.link()
        if order == "withdrawn":
            await referrals.record_message("WithdrawVoluntaryReturn", channel="PHONE")
        elif order == "afraid":
            await referrals.record_message(
                "RecordNonRefoulementScreen", outcome="CLAIM", account="feared by her family"
            )
        else:
            await referrals.record_message(
                "CancelReferral", referral_id=str(issued.link.referral_id), reason="requested twice"
            )
        seen.add(re.sub(r'name="ticket" value="[^"]+"', "", (await embassy.opens(issued)).text))

    assert len(seen) == 1


async def test_a_withdrawal_that_is_not_recorded_yet_keeps_the_page_closed(
    referrals: SentReferrals, embassy: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(task_links, "PATIENCE_S", 0.1)
    issued = await referrals.link()
    await referrals.submit("WithdrawConsent", purpose="SHARE_EMBASSY")

    waiting = await embassy.opens(issued)
    await referrals.record()
    recorded = await embassy.opens(issued)

    assert "cannot be shown at the moment" in waiting.text
    assert "has ended" in recorded.text
    assert not [word for word in PERSONAL if word in waiting.text + recorded.text]


async def test_a_partners_own_answer_that_waits_does_not_close_its_page(
    referrals: SentReferrals, embassy: Browser
) -> None:
    issued = await referrals.link()

    await embassy.sends(issued, await embassy.opens(issued), "ACCEPTED")

    assert "Aminata" in (await embassy.opens(issued)).text


async def test_a_withdrawal_told_with_the_link_closes_it_at_once(
    referrals: SentReferrals, embassy: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(task_links, "PATIENCE_S", 0.1)
    issued = await referrals.link()

    await embassy.sends(issued, await embassy.opens(issued), "WITHDRAWAL_REPORTED")

    assert "Aminata" not in (await embassy.opens(issued)).text


async def test_an_erased_person_is_on_no_page(referrals: SentReferrals, embassy: Browser, intake: Intake) -> None:
    issued = await referrals.link()
    await intake.keys.destroy(referrals.case_id)

    page = await embassy.opens(issued)

    assert "has ended" in page.text
    assert not [word for word in PERSONAL if word in page.text]


# Answers are neither lost nor submitted twice


async def test_two_browsers_that_send_the_same_at_once_make_one_signal(
    referrals: SentReferrals, embassy: Browser
) -> None:
    issued = await referrals.link()
    pages = [await embassy.opens(issued) for _ in range(2)]

    answers = await asyncio.gather(*(embassy.sends(issued, page, CONFIRMED) for page in pages * 4))
    await referrals.record()

    assert len({receipt_of(answer) for answer in answers}) == 1
    assert len(await referrals.signals()) == 2, "the opening and the answer"
    (link,) = await referrals.links.links.listed()
    assert link.answers == 1


async def test_the_form_sent_again_from_its_page_brings_the_same_receipt(
    referrals: SentReferrals, embassy: Browser
) -> None:
    issued = await referrals.link()
    page = await embassy.opens(issued)
    first = await embassy.sends(issued, page, CONFIRMED)
    await referrals.record()

    second = await embassy.sends(issued, page, CONFIRMED)
    french = await embassy.client.post(f"/p/{issued.token}", data={**hidden(first), "lang": "fr"})

    assert first.text == second.text
    assert receipt_of(french) == receipt_of(first)
    assert 'lang="fr"' in french.text


async def test_different_answers_from_two_browsers_are_both_recorded(
    referrals: SentReferrals, embassy: Browser
) -> None:
    issued = await referrals.link()
    one, other = [await embassy.opens(issued) for _ in range(2)]
    await embassy.sends(issued, one, CONFIRMED)

    late = await embassy.sends(issued, other, "COMPLETED:NOT_CONFIRMED")
    await referrals.record()

    assert late.status_code == 200
    assert [signal["status"] for signal in await referrals.signals()] == ["applied", "applied", "quarantined"]


async def test_an_answer_crosses_a_withdrawal_of_consent_and_is_recorded(
    referrals: SentReferrals, embassy: Browser
) -> None:
    issued = await referrals.link()
    page = await embassy.opens(issued)
    await referrals.record_message("CancelReferral", referral_id=str(issued.link.referral_id), reason="x")

    answer = await embassy.sends(issued, page, CONFIRMED)
    await referrals.record()

    assert answer.status_code == 200
    assert (await referrals.signals())[-1]["status"] == "late"


async def test_a_statement_is_taken_after_the_request_has_ended(referrals: SentReferrals, embassy: Browser) -> None:
    issued = await referrals.link()
    await referrals.record_message("CancelReferral", referral_id=str(issued.link.referral_id), reason="x")

    page = await embassy.opens(issued)
    answer = await embassy.sends(issued, page, "WITHDRAWAL_REPORTED", note="she informed the consul")
    await referrals.record()

    assert answer.status_code == 200
    assert (await referrals.signals())[-1]["status"] == "applied"
    assert (await referrals.case()).holds_of(HoldType.CONSENT)
    assert (await embassy.opens(issued)).status_code == 200, "a statement does not end the link"


async def test_the_same_statement_on_another_day_is_another_statement(
    referrals: SentReferrals, embassy: Browser
) -> None:
    issued = await referrals.link()
    await embassy.sends(issued, await embassy.opens(issued), "CONCERN_REPORTED")
    await referrals.record()
    await embassy.sends(issued, await embassy.opens(issued), "CONCERN_REPORTED")
    await referrals.record()

    assert [signal["status"] for signal in await referrals.signals()] == ["applied"] * 3


async def test_a_page_of_a_link_that_was_withdrawn_since_cannot_be_sent(
    referrals: SentReferrals, embassy: Browser
) -> None:
    issued = await referrals.link()
    page = await embassy.opens(issued)
    await referrals.links.links.revoke(issued.link.link_id)

    answer = await embassy.sends(issued, page, CONFIRMED)

    assert answer.status_code == 403
    assert "Nothing was submitted" in answer.text
    assert len(await referrals.signals()) == 1


async def test_a_page_that_lay_open_too_long_cannot_be_sent(
    intake: Intake, embassy: Browser, owner: asyncpg.Connection[Any]
) -> None:
    await owner.execute("INSERT INTO programme_clock (stands_at) VALUES (clock_timestamp())")
    referrals = await a_case_with_partners(intake, "CONSULAR_IDENTITY")
    issued = await referrals.link()
    page = await embassy.opens(issued)
    begun = await clock.now(intake.pool)

    await clock.move(intake.pool, begun + timedelta(hours=1, minutes=59))
    soon = await embassy.sends(issued, page, "STARTED")
    await clock.move(intake.pool, begun + timedelta(hours=2, minutes=1))
    late = await embassy.sends(issued, page, CONFIRMED)
    await clock.move(intake.pool, begun + timedelta(days=6, hours=23))
    again = await embassy.opens(issued)
    await clock.move(intake.pool, begun + timedelta(days=7, minutes=1))
    over = await embassy.opens(issued)

    assert [each.status_code for each in (soon, late, again, over)] == [200, 403, 200, 403]


async def test_a_link_takes_so_many_answers_and_no_more(referrals: SentReferrals, embassy: Browser) -> None:
    issued = await referrals.link()
    page = await embassy.opens(issued)

    statuses = [
        (await embassy.sends(issued, page, "CONCERN_REPORTED", note=f"word {nth}")).status_code for nth in range(21)
    ]

    assert statuses == [200] * 20 + [403]


async def test_a_ticket_from_nowhere_opens_nothing(referrals: SentReferrals, embassy: Browser) -> None:
    issued = await referrals.link()

    answer = await embassy.client.post(f"/p/{issued.token}", data={"ticket": "x" * 22, "say": CONFIRMED})

    assert answer.status_code == 403
    assert not [word for word in PERSONAL if word in answer.text]
    assert await referrals.signals() == []


# Entries

INVALID: list[tuple[dict[str, str], str]] = [
    ({}, "Your response: choose one of the options."),
    ({"say": "COMPLETED:NONSENSE"}, "Your response: choose one of the options."),
    ({"say": "AMENDED"}, "Your response: choose one of the options."),
    ({"say": "REJECTED", "note": " "}, "Additional information: give the reason why it is not possible."),
    ({"say": "STARTED", "day": "soon"}, "Date: enter year, month and day"),
    ({"say": "STARTED", "day": "2026-02-30"}, "Date: enter year, month and day"),
    ({"say": "STARTED", "day": "0001-01-01"}, "Date: enter year, month and day"),
    ({"say": "STARTED", "day": "2199-01-01"}, "Date: enter today or an earlier date."),
    ({"say": "STARTED", "note": "x" * 2001}, "Additional information: enter at most 2000 characters."),
]


@pytest.mark.parametrize(("entries", "error"), INVALID, ids=lambda each: str(each)[:40])
async def test_an_error_is_reported_and_the_entries_are_kept(
    referrals: SentReferrals, embassy: Browser, entries: dict[str, str], error: str
) -> None:
    issued = await referrals.link()
    page = await embassy.opens(issued)

    answer = await embassy.sends(issued, page, entries.pop("say", ""), **{"note": "kept words", **entries})

    assert answer.status_code == 422
    assert error in answer.text
    assert 'role="alert"' in answer.text
    assert entries.get("note", "kept words") in answer.text
    assert len(await referrals.signals()) == 1


async def test_another_language_keeps_what_was_typed_and_sends_nothing(
    referrals: SentReferrals, embassy: Browser
) -> None:
    issued = await referrals.link()
    page = await embassy.opens(issued)

    arabic = await embassy.sends(issued, page, CONFIRMED, note="kept words", switch="ar")

    assert 'lang="ar" dir="rtl"' in arabic.text
    assert "kept words" in arabic.text
    assert f'value="{CONFIRMED}" checked' in arabic.text
    assert len(await referrals.signals()) == 1


async def test_entries_are_shown_as_text(referrals: SentReferrals, embassy: Browser) -> None:
    issued = await referrals.link()
    page = await embassy.opens(issued)

    answer = await embassy.sends(issued, page, "STARTED", note='<script>alert("x")</script>\x00\x1b')

    assert "<script" not in answer.text
    assert "&lt;script&gt;" in answer.text
    assert "\x1b" not in answer.text


BROKEN: list[tuple[bytes, str]] = [
    (b"code=%ff", "application/x-www-form-urlencoded"),
    ("code=é".encode(), "application/x-www-form-urlencoded"),
    (b"&".join(b"a=1" for _ in range(99)), "application/x-www-form-urlencoded"),
    (b"{}", "application/json"),
    (b"x" * 40_000, "application/x-www-form-urlencoded"),
]


@pytest.mark.parametrize(("body", "media"), BROKEN, ids=lambda each: str(each)[:30])
async def test_a_malformed_form_is_answered_with_a_page(
    referrals: SentReferrals, embassy: Browser, body: bytes, media: str
) -> None:
    issued = await referrals.link()

    answer = await embassy.client.post(f"/p/{issued.token}", content=body, headers={"content-type": media})

    assert answer.status_code == 400
    assert answer.headers["content-type"].startswith("text/html")
    assert "Nothing was submitted" in answer.text


async def test_an_unavailable_database_is_a_page_that_asks_to_try_again(
    referrals: SentReferrals, client: httpx2.AsyncClient
) -> None:
    issued = await referrals.link()
    client._transport.app.state.intake.pool.terminate()  # type: ignore[attr-defined]

    answer = await Browser(client).opens(issued)

    assert answer.status_code == 503
    assert "try again in a few minutes" in answer.text


# Community leaders


async def test_a_community_leader_reads_please_call_and_nothing_else_once(intake: Intake, database: Database) -> None:
    referrals = await a_case_with_partners(intake, "COMMUNITY_LIAISON")
    issued = await referrals.link("COMMUNITY_LIAISON")
    async with an_app(database, face=PublicAddress("", LINE)) as client:
        leader = Browser(client, "fr")
        page = await leader.opens(issued)
        again = await leader.opens(issued)

    text = re.sub(r"(?s)<style>.*?</style>|<[^>]+>|[\u2068\u2069]", " ", html.unescape(page.text))
    shown = " ".join(text.split())
    assert shown == (
        "Veuillez appeler l'OIM · IOM Organisation internationale pour les migrations (OIM) "
        f"Veuillez appeler l'OIM Veuillez demander à Aminata d'appeler l'OIM. {LINE}"
    )
    assert "<form" not in page.text
    assert again.status_code == 403
    await referrals.record()
    assert (await referrals.referral("COMMUNITY_LIAISON")).status is ReferralStatus.ACKNOWLEDGED


async def test_without_a_number_to_call_no_call_link_is_issued(intake: Intake) -> None:
    referrals = await a_case_with_partners(intake, "COMMUNITY_LIAISON")
    referrals.face = PublicAddress()

    assert await refusal(referrals, "COMMUNITY_LIAISON") == "LINK.NO_LINE"


# Staff, over HTTP


async def test_staff_issue_list_and_end_links_over_http(referrals: SentReferrals, client: httpx2.AsyncClient) -> None:
    referral = await referrals.referral("CONSULAR_IDENTITY")
    path = f"/api/v1/cases/{referrals.number}"
    given = await client.post(f"{path}/referrals/{referral.referral_id}/links", headers={"Idempotency-Key": "k"})
    same = await client.post(f"{path}/referrals/{referral.referral_id}/links", headers={"Idempotency-Key": "k"})
    link = given.json()
    await client.post(link["link"].removeprefix("http://127.0.0.1:8600"), data={"code": link["code"]})

    listed = (await client.get(f"{path}/links")).json()["links"]
    ended = await client.delete(f"{path}/links/{link['link_id']}")
    after = (await client.get(f"{path}/links")).json()["links"]

    assert (given.status_code, same.json()) == (201, link)
    assert link["link"].startswith("http://127.0.0.1:8600/p/")
    assert link["code"] not in link["link"]
    assert [(each["status"], len(each["opened"])) for each in listed] == [("open", 1)]
    assert link["link"].rpartition("/")[2] not in str(listed)
    assert ended.json() == {"link_id": link["link_id"], "revoked": True}
    assert [each["status"] for each in after] == ["revoked"]


async def test_a_forbidden_action_with_links_is_a_problem(referrals: SentReferrals, client: httpx2.AsyncClient) -> None:
    referral = await referrals.referral("CONSULAR_IDENTITY")
    path = f"/api/v1/cases/{referrals.number}"
    key = {"Idempotency-Key": "k"}
    await Browser(client).opens(await referrals.link())
    await referrals.record()
    await referrals.record_message("WithdrawConsent", purpose="SHARE_EMBASSY")

    refused = await client.post(f"{path}/referrals/{referral.referral_id}/links", headers=key)
    keyless = await client.post(f"{path}/referrals/{referral.referral_id}/links")
    unknown = await client.post(f"{path}/referrals/{uuid4()}/links", headers=key)
    nowhere = await client.get("/api/v1/cases/LBY-1999-000001/links")
    no_link = await client.delete(f"{path}/links/{uuid4()}")

    statuses = [each.status_code for each in (refused, keyless, unknown, nowhere, no_link)]
    assert statuses == [422, 400, 404, 404, 404]
    assert refused.json()["rule"] == "CONSENT.SHARE_EMBASSY"


def test_every_status_of_a_referral_under_way_offers_a_final_answer() -> None:
    for kind in set(ALL_KINDS) - CALLS:
        for status in set(ReferralStatus) - TERMINAL - {ReferralStatus.DRAFT}:
            signals = {choice.signal for choice in fitting(kind, status)}
            assert {"COMPLETED", "WITHDRAWAL_REPORTED", "CONCERN_REPORTED"} <= signals
            assert len(signals & {"REJECTED", "FAILED"}) == 1, (kind, status)


def test_the_fictitious_person_is_the_one_that_pages_must_not_show() -> None:
    assert REGISTRATION["person"]["given_names"] == PERSONAL[0]
