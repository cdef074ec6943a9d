"""Pages as they leave: escaped by the template library, one style sheet inside, and headers that allow nothing else."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from gateway.pages.time_format import clock
from gateway.pages.translations import LANGUAGES, PageTexts
from gateway.public_address import PublicAddress

HERE: Final = Path(__file__).parent

STYLE: Final = (HERE / "style.css").read_text(encoding="utf-8").strip()

STYLE_HASH: Final = b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()

LARGEST: Final = 10 * 1024
"""No page is larger: it has to arrive over the worst line there is."""

HEADERS: Final[Mapping[str, str]] = {
    "Content-Security-Policy": (
        f"default-src 'none'; style-src 'sha256-{STYLE_HASH}'; form-action 'self'; base-uri 'none'; "
        "frame-ancestors 'none'"
    ),
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "X-Robots-Tag": "noindex",
}
"""Beside those that every answer of the gateway has: no store, no referrer, no guessing of types."""

_TEMPLATES: Final = Environment(
    loader=FileSystemLoader(HERE / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def text_of(template: str, w: PageTexts, face: PublicAddress, *, title: str, switch: str = "", **context: Any) -> str:
    """A page as text. ``switch``: the button's name by which its form changes language; without, a link does."""
    return _TEMPLATES.get_template(f"{template}.html").render(
        w=w,
        title=f"{title} · IOM",
        style=Markup(STYLE),  # noqa: S704 (our own file)
        switch=switch,
        line=face.line,
        dialled=face.dialled,
        **{"languages": LANGUAGES.values(), **context},
    )


def page(template: str, w: PageTexts, face: PublicAddress, *, status: int = 200, **context: Any) -> HTMLResponse:
    """A page as an answer."""
    headers = {**HEADERS, "Content-Language": w.lang}
    return HTMLResponse(text_of(template, w, face, **context), status, headers)


# How values read


def person(told: Mapping[str, Any], w: PageTexts) -> Iterable[tuple[str, str, str]]:
    """What is told about a person: label, value, and the side it is written from where that is certain."""
    for name, label in w.field.items():
        if name == "flight" and "flight" in told:
            yield label, str(told["flight"]["movement"]), "ltr"
            yield w.field["std"], clock(datetime.fromisoformat(told["flight"]["std"])), "ltr"
        elif name in told and name != "flight":
            value, side = _value(name, told, w)
            yield label, value, side


def _value(name: str, told: Mapping[str, Any], w: PageTexts) -> tuple[str, str]:
    value = told[name]
    if name == "languages":
        return ", ".join(w.language.get(each, each) for each in value), ""
    if name == "date_of_birth":
        return _born(str(value), str(told.get("dob_precision", "DAY")), w)
    if name in ("phone", "document", "iom_line"):
        return str(value), "ltr"
    if name == "interview":
        return f"{value['place']}, {clock(datetime.fromisoformat(value['at']))}", ""
    known = {"sex": w.value, "age_class": w.value, "nationality": w.country}.get(name, {})
    return known.get(str(value), str(value)), ""


def _born(day: str, precision: str, w: PageTexts) -> tuple[str, str]:
    """A date of birth as far as it is known, and no further."""
    if precision == "ESTIMATED":
        return f"{w.value['ESTIMATED']} {day[:4]}", ""
    return day[: {"YEAR": 4, "MONTH": 7}.get(precision, 10)], "ltr"
