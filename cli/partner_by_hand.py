"""What a person brings to a partner: that it was brought is said here, and nothing of it waits any more."""

from __future__ import annotations

from typing import Any, Final, get_args
from uuid import UUID

import rich_click as click

from audit.fold import fold
from cli.house import House, at_home
from cli.options import acting, as_json
from cli.sending import Acting, hand_in
from cli.talk import Code, Failed
from domain.case import Case
from domain.messages import ReportHandedOver
from gateway.links import chosen

WAYS: Final = get_args(ReportHandedOver.model_fields["how"].annotation)


@click.command("handed-over", epilog="Example: `awda partner handed-over LBY-2026-000001 PAPER --kind EXIT_PERMIT`")
@click.argument("number", metavar="CASE")
@click.argument("how", metavar="HOW", type=click.Choice(WAYS, case_sensitive=False))
@click.option("--referral", type=click.UUID, metavar="ID", help="Which referral, if several are under way.")
@click.option("--kind", metavar="KIND", help="Which referral, by its kind.")
@acting
@as_json
def handed_over(*, number: str, how: str, referral: UUID | None, kind: str | None, as_json: bool, **acts: Any) -> None:
    """Say that you brought a partner what a case asks of it: on PAPER, by PHONE, in a VISIT, by a LINK or a SHEET.

    Whatever of that referral was to be brought by hand is settled with it, and so is the task to bring it.
    """
    called = number.strip().upper()
    meant = at_home(lambda house: _meant(house, called, referral, kind))
    fields = {"referral_id": str(meant), "how": how.upper()}
    hand_in(
        Acting(**acts), lambda house, by: house.desk.send(called, "ReportHandedOver", fields, **by), as_json=as_json
    )


async def _meant(house: House, number: str, referral: UUID | None, kind: str | None) -> UUID:
    case = (await fold(house.pool, house.keys, await house.stream(number))).state
    if not isinstance(case, Case):
        raise Failed(Code.NOT_FOUND, f"{number} is no case.", "awda case list")
    return chosen(case, referral, kind).referral_id
