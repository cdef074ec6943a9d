"""Writes ``samples/sheets``: each kind of sheet as issued and as returned, with synthetic people.

Run ``python -m tools.sample_sheets`` after a change to the layout of sheets, and commit the result.
"""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from uuid import uuid5

from domain.kernel.vocabulary import ReferralKind
from domain.kernel.working_time import LIBYA
from domain.referral.disclosure import MAY_SEE, RECIPIENT_OF
from domain.referral.sheets import SHEETS, SheetKind, printed_code, row_code
from gateway.sheets.rendering import SheetPage, SheetPageRow, as_csv, as_html, as_xlsx
from gateway.sheets.translations import Language
from store.partners.sheets import SHEETS as NAMESPACE
from store.partners.sheets import IssuedSheet

FOLDER: Final = Path(__file__).parent.parent / "samples" / "sheets"

ISSUED: Final = datetime(2026, 11, 23, 7, 0, tzinfo=UTC)


PEOPLE: Final[list[dict[str, Any]]] = [
    {
        "family_name": "Sawadogo", "given_names": "Issa", "name_native_script": "عيسى ساوادوغو", "sex": "MALE",
        "date_of_birth": "1993-10-18", "nationality": "BFA", "phone": "+218910000011", "languages": ["mos", "fr"],
        "document": "LP-2041",
    },
    {
        "family_name": "Camara", "given_names": "Mariama", "sex": "FEMALE", "date_of_birth": "2001-12-31",
        "dob_precision": "YEAR", "nationality": "GIN", "phone": "+218910000012", "languages": ["fr"],
        "document": "LP-2042",
    },
    {
        "family_name": "Hossain", "given_names": "Shafiq", "sex": "MALE", "date_of_birth": "1996-08-05",
        "nationality": "BGD", "phone": "+218910000013", "languages": ["bn"], "document": "BX 0417733",
    },
    {
        "family_name": "El Tayeb", "given_names": "Osman", "name_native_script": "عثمان الطيب", "sex": "MALE",
        "date_of_birth": "1988-01-31", "dob_precision": "MONTH", "nationality": "SDN", "phone": "+218910000014",
        "languages": ["ar"], "document": "LP-2044",
    },
]  # fmt: skip

FLIGHT: Final = {"movement": "MOV-2026-1214-MJI-OUA", "std": "2026-12-14T09:00:00+00:00"}

Filled = Mapping[str, str]

SAMPLES: Final[Mapping[SheetKind, tuple[Language, str, str, list[tuple[ReferralKind, Filled]]]]] = {
    SheetKind.EMBASSY_SESSION: (
        "fr",
        "embassy-bfa",
        "Ambassade du Burkina Faso",
        [
            (ReferralKind.CONSULAR_IDENTITY, {"result": "Nationalité confirmée", "date": "24/11/2026"}),
            (ReferralKind.CONSULAR_IDENTITY, {"result": "Vérification dans la capitale", "note": "état civil de Kaya"}),
            (
                ReferralKind.TRAVEL_DOCUMENT,
                {
                    "result": "Délivré",
                    "document kind": "Laissez-passer",
                    "document number": "LP-2043",
                    "issued on": "24/11/2026",
                    "expires on": "24.02.2027",
                },
            ),
            (ReferralKind.CONSULAR_IDENTITY, {}),
        ],
    ),
    SheetKind.CLINIC_AFTERNOON: (
        "en",
        "clinic-tripoli",
        "Clinic, Tripoli",
        [
            (ReferralKind.MEDICAL_ASSESSMENT, {"result": "No significant condition", "date": "2026-11-24"}),
            (ReferralKind.MEDICAL_ASSESSMENT, {"result": "Treatment required", "date": "2026-11-24"}),
            (
                ReferralKind.FIT_TO_TRAVEL,
                {"result": "FIT_WITH_CONDITIONS", "date": "24/11/2026 15:20", "note": "an aisle seat"},
            ),
            (ReferralKind.MEDICAL_ASSESSMENT, {"withdrawal": "x"}),
        ],
    ),
    SheetKind.EXIT_LIST: (
        "ar",
        "exit-authority",
        "Exit authority",
        [
            (
                ReferralKind.EXIT_PERMIT,
                {"result": "تمت الموافقة", "permit number": "٧٧٤١", "airport": "معيتيقة", "expires on": "٢٤/١٢/٢٠٢٦"},
            ),
            (
                ReferralKind.EXIT_PERMIT,
                {"result": "تمت الموافقة", "permit number": "٧٧٤٢", "airport": "MJI", "expires on": "24/12/2026"},
            ),
            (ReferralKind.EXIT_PERMIT, {"result": "مرفوض", "reason class": "غرامة غير مدفوعة"}),
            (ReferralKind.EXIT_PERMIT, {"result": "مطلوب معلومات إضافية", "note": "الصورة غير واضحة"}),
        ],
    ),
    SheetKind.RECEPTION_DESK: (
        "en",
        "reception-bfa",
        "Reception, Burkina Faso",
        [
            (
                ReferralKind.RECEPTION,
                {
                    "result": "Received",
                    "date": "2026-12-14 18:40",
                    "cash in EUR": "65",
                    "nights": "1",
                    "transport": "bus to Kaya",
                },
            ),
            (ReferralKind.RECEPTION, {"result": "Did not arrive"}),
            (
                ReferralKind.MEDICAL_HANDOVER,
                {"result": "Handed over", "date": "14/12/2026", "facility": "Hôpital de Ouagadougou"},
            ),
            (ReferralKind.RECEPTION, {"result": "Declined assistance", "concern": "asks to be called"}),
        ],
    ),
}


def page(kind: SheetKind) -> SheetPage:
    """Returns the sheet as issued."""
    language, partner_id, name, rows = SAMPLES[kind]
    sheet = IssuedSheet(uuid5(NAMESPACE, f"sample {kind}"), kind, partner_id, None, "fatima", ISSUED)
    home = {"nationality": "BFA"} if kind in (SheetKind.EMBASSY_SESSION, SheetKind.RECEPTION_DESK) else {}
    asked = zip([{**person, **home} for person in PEOPLE], rows, strict=True)
    written = tuple(
        SheetPageRow(code_of(kind, at), what, _shown(kind, what, person))
        for at, (person, (what, _)) in enumerate(asked)
    )
    return SheetPage(sheet, name, language, LIBYA.zone, written)


def _shown(kind: SheetKind, what: ReferralKind, person: Mapping[str, Any]) -> dict[str, Any]:
    allowed = MAY_SEE[RECIPIENT_OF[what]] & {*SHEETS[kind].shows, "dob_precision"}
    return {name: value for name, value in {**person, "flight": FLIGHT}.items() if name in allowed}


def code_of(kind: SheetKind, at: int) -> str:
    """Returns a row code that no issued sheet has."""
    return row_code(f"SHEET{list(SheetKind).index(kind) + 1}{at + 1}")


def filled(kind: SheetKind) -> bytes:
    """Returns the sheet as a partner returns it, filled in."""
    made = page(kind)
    headings, *rows = list(csv.reader(io.StringIO(as_csv(made).decode("utf-8-sig"))))
    for row, (_, cells) in zip(rows, SAMPLES[kind][3], strict=True):
        for column, text in cells.items():
            row[headings.index(made.heading(column))] = text
    out = io.StringIO(newline="")
    csv.writer(out).writerows([headings, *rows])
    return out.getvalue().encode("utf-8-sig")


def main() -> int:
    FOLDER.mkdir(parents=True, exist_ok=True)
    for kind in SheetKind:
        made = page(kind)
        (FOLDER / f"{kind}.xlsx").write_bytes(as_xlsx(made))
        (FOLDER / f"{kind}.html").write_bytes(as_html(made))
        (FOLDER / f"{kind}-filled.csv").write_bytes(filled(kind))
        sys.stdout.write(f"wrote {kind}, {len(made.rows)} rows, the first {printed_code(made.rows[0].code)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
