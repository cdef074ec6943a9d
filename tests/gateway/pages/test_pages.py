"""Every page in every language: small, without scripts, accessible, and without sensitive information."""

from __future__ import annotations

import re
from datetime import date
from html.parser import HTMLParser
from typing import Any

import httpx2
import pytest

from domain.kernel.vocabulary import ReferralKind
from domain.referral.disclosure import MAY_SEE
from domain.referral.outcomes import OUTCOMES
from gateway.intake.service import Intake
from gateway.pages.forms import FormData, InvalidEntry, answer
from gateway.pages.outcome_choices import every
from gateway.pages.render import HERE, LARGEST, STYLE, person
from gateway.pages.translations import LANGUAGES, in_language
from gateway.partner_access.task_links import CALLS
from gateway.public_address import InvalidPublicAddressError, PublicAddress
from tests.gateway.conftest import an_app
from tests.support.databases import Database
from tests.support.referral_fixtures import ALL_KINDS, LINE, Browser, SentReferrals, a_case_with_partners, offered

HEADERS = {
    "x-content-type-options": "nosniff",
    "cache-control": "no-store",
    "referrer-policy": "no-referrer",
    "x-frame-options": "DENY",
    "x-robots-tag": "noindex",
    "cross-origin-opener-policy": "same-origin",
}

SENSITIVE = re.compile(
    r"traffick|asylum|refugee|violence|rape|victim|survivor|abuse|PEP|HIV|\btraite\b|asile|réfugi|viol|victime|survivant"
    "|الاتجار|لجوء|لاجئ|اغتصاب|عنف|ضحي|ناجي",
    re.IGNORECASE,
)


class Tags(HTMLParser):
    """The elements of a page in order, with their attributes, and its visible text."""

    def __init__(self, page: httpx2.Response) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.inside: list[str] = []
        self.text = ""
        self.feed(page.text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        if tag not in ("meta", "input", "br"):
            self.inside.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.inside.pop() == tag, f"</{tag}> closes nothing"

    def handle_data(self, data: str) -> None:
        if "style" not in self.inside:
            self.text += data

    def every(self, *tags: str) -> list[dict[str, str | None]]:
        return [attributes for tag, attributes in self.found if tag in tags]


@pytest.fixture
async def everything(intake: Intake) -> SentReferrals:
    """One case with a referral of every kind."""
    return await a_case_with_partners(intake, *ALL_KINDS)


@pytest.fixture
async def visited(everything: SentReferrals, database: Database) -> dict[str, httpx2.Response]:
    """Returns every page, by name and language."""
    pages: dict[str, httpx2.Response] = {}
    async with an_app(database, face=PublicAddress("", LINE)) as client:
        for lang in LANGUAGES:
            browser = Browser(client, lang)
            pages |= {f"{name} {lang}": page for name, page in (await visits(everything, browser)).items()}
        await everything.record_message("WithdrawVoluntaryReturn", channel="PHONE")
        await everything.record_message("WithdrawConsent", purpose="SHARE_EMBASSY")
        for lang in LANGUAGES:
            issued = issued_links[lang]
            pages[f"closed {lang}"] = await Browser(client, lang).opens(issued)
    return pages


issued_links: dict[str, Any] = {}


async def visits(asked: SentReferrals, browser: Browser) -> dict[str, httpx2.Response]:
    pages: dict[str, httpx2.Response] = {}
    for kind in ALL_KINDS:
        issued = await asked.link(kind)
        pages[kind] = await browser.opens(issued)
        if kind == "TRAVEL_DOCUMENT":
            pages["errors"] = await browser.sends(issued, pages[kind], "COMPLETED:ISSUED")
    issued = issued_links[browser.lang] = await asked.link()
    page = await browser.opens(issued)
    pages["code"] = await browser.goes_to(f"/p/{issued.token}?lang={browser.lang}")
    pages["not_opened"] = await browser.opens(issued, "no code")
    pages["receipt"] = await browser.sends(issued, page, "STARTED", note="x" * 2000, day="2026-01-01")
    pages["call"] = await browser.goes_to(f"/call?lang={browser.lang}")
    await asked.record()
    return pages


async def test_every_page_is_small_strict_accessible_and_not_sensitive(
    visited: dict[str, httpx2.Response], subtests: pytest.Subtests
) -> None:
    assert len(visited) == 3 * (len(ALL_KINDS) + 6)
    for name, page in visited.items():
        with subtests.test(page=name):
            what, lang = name.split()
            assert_small(page)
            assert_strict(page)
            assert_accessible(Tags(page), lang)
            assert_not_sensitive(page)
            if what in OUTCOMES and what not in CALLS:
                assert_offers_outcomes(page, what, lang)


def assert_small(page: httpx2.Response) -> None:
    assert len(page.content) < LARGEST, f"{len(page.content)} bytes"
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    found = {header: page.headers.get_list(header) for header in HEADERS}
    assert found == {header: [value] for header, value in HEADERS.items()}


def assert_strict(page: httpx2.Response) -> None:
    """No scripts and no external resources, and a policy that allows neither."""
    tags = Tags(page)
    policy = dict(part.strip().split(" ", 1) for part in page.headers["content-security-policy"].split(";"))
    assert policy.keys() == {"default-src", "style-src", "form-action", "base-uri", "frame-ancestors"}
    assert (policy["default-src"], policy["frame-ancestors"], policy["base-uri"]) == ("'none'",) * 3
    assert policy["form-action"] == "'self'"
    assert re.fullmatch(r"'sha256-[A-Za-z0-9+/]{43}='", policy["style-src"])
    assert tags.every("script", "img", "link", "iframe", "object", "base") == []
    assert [name for _, found in tags.found for name in found if name.startswith("on") or name == "style"] == []
    addresses = [found.get("href") or "" for found in tags.every("a")]
    assert [to for to in addresses if not re.match(r"\?lang=|#|tel:\+?[0-9]+$", to)] == []
    assert [found for found in tags.every("form") if "action" in found] == []


def assert_accessible(tags: Tags, lang: str) -> None:
    """What users of screen readers, keyboards and right-to-left languages need."""
    (root,) = tags.every("html")
    assert (root["lang"], root["dir"]) == (lang, "rtl" if lang == "ar" else "ltr")
    assert len(tags.every("h1")) == 1
    assert len(tags.every("main")) == 1
    labelled = {found.get("for") for found in tags.every("label")}
    for found in tags.every("input", "textarea", "select"):
        if found.get("type") not in ("hidden", "radio", "checkbox"):
            assert found["id"] in labelled, found
    described = [part for found in tags.every("input", "textarea") if (part := found.get("aria-describedby"))]
    ids = [found["id"] for _, found in tags.found if found.get("id")]
    assert set(described) <= set(ids)
    assert len(ids) == len(set(ids))
    assert {(found.get("href") or "#")[1:] for found in tags.every("a") if (found.get("href") or "")[0] == "#"} <= {
        *ids
    }
    assert len(tags.every("fieldset")) == len(tags.every("legend"))


def assert_not_sensitive(page: httpx2.Response) -> None:
    """No page mentions what a person fled or suffered. No address and no title names a person."""
    assert not SENSITIVE.search(Tags(page).text)
    (title,) = re.findall("<title>(.*?)</title>", page.text)
    assert not re.search("Aminata|Okafor|LBY", title + str(page.url))


def assert_offers_outcomes(page: httpx2.Response, kind: str, lang: str) -> None:
    """The page has the kind in words and offers the outcomes of this kind."""
    assert LANGUAGES[lang].kind[kind] in Tags(page).text
    assert {f"COMPLETED:{code}" for code in OUTCOMES[ReferralKind(kind)].ends} <= set(offered(page))
    assert {"WITHDRAWAL_REPORTED", "CONCERN_REPORTED"} <= set(offered(page))


# Texts


def test_every_language_has_the_same_keys() -> None:
    sections = ("ui", "field", "value", "kind", "outcome", "country", "language")
    keys = {lang: {name: set(getattr(w, name)) for name in sections} for lang, w in LANGUAGES.items()}
    assert keys["fr"] == keys["en"]
    assert keys["ar"] == keys["en"]
    texts = [text for w in LANGUAGES.values() for name in sections for text in getattr(w, name).values()]
    assert [text for text in texts if not text.strip()] == []


def test_every_kind_and_every_outcome_has_a_text() -> None:
    codes = {choice.outcome for kind in OUTCOMES for choice in every(kind) if choice.outcome}
    assert codes == set(LANGUAGES["en"].outcome)
    assert set(LANGUAGES["en"].kind) == set(ALL_KINDS) == set(OUTCOMES)


def test_every_text_is_used() -> None:
    written = " ".join(file.read_text() for end in ("html", "py") for file in HERE.rglob(f"*.{end}"))
    written += " ended later"  # shown instead of a task; the keys are in the links
    keys = LANGUAGES["en"].ui
    assert [key for key in keys if not re.search(rf"\b{key.removesuffix('_lead')}\b", written)] == []


def test_the_language_of_the_browser_is_used_when_none_was_requested() -> None:
    assert in_language("ar", "fr").lang == "ar"
    assert in_language(None, "de, fr-CH;q=0.8, ar;q=0.9").lang == "ar"
    assert in_language("xx", "").lang == "en"
    assert in_language(None, "q=;;,*;q=nonsense, fr;q=1.2.3").lang in LANGUAGES


def test_a_date_of_birth_is_shown_to_its_known_precision() -> None:
    w = LANGUAGES["en"]
    shown = {}
    for precision in ("DAY", "MONTH", "YEAR", "ESTIMATED"):
        ((_, shown[precision], _),) = person({"date_of_birth": "1996-04-02", "dob_precision": precision}, w)
    assert shown == {"DAY": "1996-04-02", "MONTH": "1996-04", "YEAR": "1996", "ESTIMATED": "about 1996"}


def test_every_field_that_may_be_disclosed_has_a_label_and_is_shown() -> None:
    data = {
        **dict.fromkeys(("family_name", "given_names", "name_native_script", "phone", "document", "item"), "text"),
        "sex": "FEMALE", "date_of_birth": "1996-04-02", "nationality": "NGA", "languages": ["ha", "xx"],
        "flight": {"movement": "MOV-1", "std": "2026-12-14T09:00:00+00:00"},
        "interview": {"place": "Consulate", "at": "2026-12-01T08:00:00Z"}, "age_class": "CHD", "iom_line": "+218",
    }  # fmt: skip
    shown = {label: value for label, value, _ in person(data, LANGUAGES["en"])}

    assert set().union(*MAY_SEE.values()) - {"dob_precision"} <= data.keys()
    assert len(shown) == len(data) + 1, "a flight is two lines"
    assert (shown["Sex"], shown["Nationality"], shown["Languages"]) == ("Female", "Nigeria", "Hausa, xx")
    assert (shown["Flight"], shown["Departure"]) == ("MOV-1", "2026-12-14 09:00 UTC")
    assert (shown["Interview"], shown["Age group"]) == ("Consulate, 2026-12-01 08:00 UTC", "Child")


# Errors of a form


@pytest.mark.parametrize(
    ("kind", "outcome", "field", "error"),
    [
        (ReferralKind.TRAVEL_DOCUMENT, "COMPLETED:ISSUED", "number", "Document number: enter the number"),
        (ReferralKind.EXIT_PERMIT, "COMPLETED:GRANTED", "permit_number", "Permit number: enter the number"),
    ],
)
def test_a_missing_number_is_reported_by_the_name_of_its_field(
    kind: ReferralKind, outcome: str, field: str, error: str
) -> None:
    (found,) = invalid_entries(FormData({"say": outcome}), kind)
    assert found.field == field
    assert LANGUAGES["en"].ui[found.text_key].startswith(error)


def test_an_unreadable_expiry_date_is_reported_by_the_name_of_its_field() -> None:
    form = FormData({"say": "COMPLETED:ISSUED", "number": "LP-7", "expires_on": "next year"})
    (found,) = invalid_entries(form, ReferralKind.TRAVEL_DOCUMENT)
    assert found.field == "expires_on"
    assert LANGUAGES["en"].ui[found.text_key].startswith("Valid until: enter year, month and day")


def invalid_entries(form: FormData, kind: ReferralKind) -> list[InvalidEntry]:
    found = answer(form, kind, date(2026, 11, 23))
    assert isinstance(found, list)
    return found


# Appearance


def test_the_style_sheet_has_no_left_or_right() -> None:
    assert not re.search(r"\b(left|right)\b", STYLE)


def test_every_colour_of_text_has_enough_contrast() -> None:
    pairs = [("#111", "#fff"), ("#444", "#fff"), ("#0033a0", "#fff"), ("#fff", "#0033a0"), ("#fff", "#b00020")]
    used = set(re.findall(r"#[0-9a-f]{3,6}\b", STYLE))
    assert {colour for pair in pairs for colour in pair} <= used
    assert [pair for pair in pairs if contrast(*pair) < 4.5] == []
    assert contrast("#767676", "#fff") >= 3, "borders of what can be filled in"


def contrast(one: str, other: str) -> float:
    """Returns the contrast ratio as WCAG 2.2 defines it."""
    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def luminance(colour: str) -> float:
    digits = colour[1:] if len(colour) == 7 else "".join(each * 2 for each in colour[1:])
    parts = [int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    red, green, blue = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_every_touch_target_is_large_enough() -> None:
    for target in (r"\.send", r"\.pick", r"nav a,nav button,nav strong", r"input\[type=text\][^{]*"):
        (rule,) = re.findall(rf"(?m)^{target}\{{([^}}]*)\}}", STYLE)
        found = re.search(r"min-block-size:([0-9.]+)rem", rule)
        assert found, rule
        assert float(found[1]) * 16 >= 44


# The public address


@pytest.mark.parametrize(
    ("settings", "shown"),
    [
        ({}, ("", "")),
        (
            {"AWDA_PUBLIC_URL": "https://vhr.example.org/", "AWDA_LINE": "+218 21 000 0000"},
            ("https://vhr.example.org", "+218 21 000 0000"),
        ),
    ],
)
def test_address_and_line_come_from_the_environment(settings: dict[str, str], shown: tuple[str, str]) -> None:
    face = PublicAddress.read(settings)
    assert (face.url, face.line) == shown


@pytest.mark.parametrize(
    "settings",
    [{"AWDA_PUBLIC_URL": "javascript:alert(1)"}, {"AWDA_PUBLIC_URL": "https://x y"}, {"AWDA_LINE": "call us"}],
)
def test_an_invalid_address_or_line_is_refused(settings: dict[str, str]) -> None:
    with pytest.raises(InvalidPublicAddressError):
        PublicAddress.read(settings)


@pytest.mark.parametrize("kind", sorted(set(OUTCOMES) - CALLS))
def test_a_page_offers_every_outcome_of_its_kind_under_the_signal_that_carries_it(kind: ReferralKind) -> None:
    offered = {(choice.signal, choice.outcome) for choice in every(kind) if choice.outcome}
    assert offered == {(signal, code) for signal, codes in OUTCOMES[kind].by_signal.items() for code in codes}
