"""Renders pages: escaped by the template library, with one style sheet inside and headers that allow nothing else."""

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
"""The largest page in bytes: pages must load on very slow connections."""

HEADERS: Final[Mapping[str, str]] = {
    "Content-Security-Policy": (
        f"default-src 'none'; style-src 'sha256-{STYLE_HASH}'; form-action 'self'; base-uri 'none'; "
        "frame-ancestors 'none'"
    ),
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "X-Robots-Tag": "noindex",
}
"""Sent in addition to the headers of every response (no store, no referrer, no content type detection)."""

_TEMPLATES: Final = Environment(
    loader=FileSystemLoader(HERE / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def text_of(
    template: str, texts: PageTexts, face: PublicAddress, *, title: str, switch: str = "", **context: Any
) -> str:
    """Returns a page as text.

    ``switch`` is the name of the form button that changes the language. When it is empty, links change the language.
    """
    return _TEMPLATES.get_template(f"{template}.html").render(
        texts=texts,
        title=f"{title} · IOM",
        style=Markup(STYLE),  # noqa: S704 (the package's own file)
        switch=switch,
        line=face.line,
        dialled=face.dialled,
        **{"languages": LANGUAGES.values(), **context},
    )


def page(template: str, texts: PageTexts, face: PublicAddress, *, status: int = 200, **context: Any) -> HTMLResponse:
    """Returns a page as a response."""
    headers = {**HEADERS, "Content-Language": texts.lang}
    return HTMLResponse(text_of(template, texts, face, **context), status, headers)


# Values


def person(data: Mapping[str, Any], texts: PageTexts) -> Iterable[tuple[str, str, str]]:
    """Yields the label, the value and the writing direction (empty if not known) of each field about a person."""
    for name, label in texts.field.items():
        if name == "flight" and "flight" in data:
            yield label, str(data["flight"]["movement"]), "ltr"
            yield texts.field["std"], clock(datetime.fromisoformat(data["flight"]["std"])), "ltr"
        elif name in data and name != "flight":
            value, direction = _value(name, data, texts)
            yield label, value, direction


def _value(name: str, data: Mapping[str, Any], texts: PageTexts) -> tuple[str, str]:
    value = data[name]
    if name == "languages":
        return ", ".join(texts.language.get(each, each) for each in value), ""
    if name == "date_of_birth":
        return _date_of_birth(str(value), str(data.get("dob_precision", "DAY")), texts)
    if name in ("phone", "document", "iom_line"):
        return str(value), "ltr"
    if name == "interview":
        return f"{value['place']}, {clock(datetime.fromisoformat(value['at']))}", ""
    known = {"sex": texts.value, "age_class": texts.value, "nationality": texts.country}.get(name, {})
    return known.get(str(value), str(value)), ""


def _date_of_birth(day: str, precision: str, texts: PageTexts) -> tuple[str, str]:
    """Returns the date of birth to its known precision."""
    if precision == "ESTIMATED":
        return f"{texts.value['ESTIMATED']} {day[:4]}", ""
    return day[: {"YEAR": 4, "MONTH": 7}.get(precision, 10)], "ltr"
