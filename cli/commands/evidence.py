"""Files of a case: attach one, and get it back."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from typing import Any

import rich_click as click

from cli.context import CommandContext, run_with_context
from cli.options import OPERATOR, as_json
from cli.output import CommandError, ExitCode, emit
from domain.casework.evidence import FOR_FILES
from gateway.intake.evidence import (
    AttachmentReceipt,
    EvidenceDetails,
    EvidenceFile,
    EvidenceNotFoundError,
    attach,
    evidence,
)
from gateway.intake.staff import USER
from store.content_store import ContentStore, FileNotStoredError, FolderContentStore
from store.log.mapper import KeyErasedError, TamperedError


def content_store(context: CommandContext) -> ContentStore:
    """Where this home keeps files."""
    return FolderContentStore(context.settings.files or context.home.files)


@click.command("attach", epilog="Example: `awda case attach LBY-2026-000001 passport.pdf --note 'seen at the office'`")
@click.argument("number", metavar="CASE")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False, exists=True))
@click.option("--note", metavar="TEXT", help="What it shows; sealed with it.")
@click.option("--compartment", type=click.Choice([each.value for each in FOR_FILES]), default="GEN", show_default=True,
              help="Whose it is: of all who work on the case, of medical staff, of protection staff.")  # fmt: skip
@click.option("--as", "user", default=OPERATOR, show_default=True, metavar="USER", help="Who attaches it.")
@as_json
def attach_file(
    *, number: str, file: Path, note: str | None, compartment: str, user: str, as_json: bool
) -> None:  # fmt: skip
    """Seal a file (PDF, JPEG, PNG, TIFF) under the case's keys and attach it. The file here stays as it is."""
    if not USER.fullmatch(user):
        raise click.BadParameter(f"{user!r} is no user's name", param_hint="--as")

    async def work(context: CommandContext) -> AttachmentReceipt:
        case = await context.stream(number)
        about = EvidenceDetails(file.name[-120:], note, compartment)
        with file.open("rb") as opened:
            found = await attach(
                context.intake, content_store(context), opened, about, holders=[case], cases=[case], user=user
            )
        return found[0]

    found = run_with_context(work)
    already = "was attached before" if found.repeated else "is attached"
    emit(attached_as_json(found), as_json=as_json, plain=lambda: click.echo(f"{file.name} {already}."))


def attached_as_json(found: AttachmentReceipt) -> dict[str, Any]:
    told = {"case_id": str(found.stream_id), "message_id": str(found.message_id)}
    return {**told, "status": found.status, "repeated": found.repeated}


@click.command("file", epilog="Example: `awda case file LBY-2026-000001 3f9a5c2e --out passport.pdf`")
@click.argument("number", metavar="CASE")
@click.argument("digest", metavar="SHA")
@click.option("--out", "file", required=True, type=click.Path(path_type=Path, dir_okay=False), help="Where to put it.")
@as_json
def get_file(*, number: str, digest: str, file: Path, as_json: bool) -> None:
    """Open a file of a case. SHA is its digest, or the beginning of it, as the case's history shows it."""

    async def work(context: CommandContext) -> dict[str, Any]:
        found = await _found(context, number, digest)
        _write(found, file)
        return {"file": str(file), "name": found.file_name, "media_type": found.media_type, "bytes": found.opened.size}

    told = run_with_context(work)
    emit(told, as_json=as_json, plain=lambda: click.echo(f"{file}: {told['name']}, {told['media_type']}."))


async def _found(context: CommandContext, number: str, digest: str) -> EvidenceFile:
    try:
        return await evidence(context.intake, content_store(context), await context.stream(number), digest)
    except (EvidenceNotFoundError, FileNotStoredError) as missing:
        raise CommandError(ExitCode.NOT_FOUND, str(missing), f"awda case history {number}") from None
    except KeyErasedError as erased:
        raise CommandError(ExitCode.REFUSED, f"{number}: {erased}", f"awda case history {number}") from None


def _write(found: EvidenceFile, file: Path) -> None:
    """Write it where nobody else reads it; what turns out to be something else is not left behind."""
    counted, draft = sha256(), file.with_name(f".{file.name}.part")
    draft.unlink(missing_ok=True)
    draft.touch(0o600)
    try:
        with draft.open("wb") as out:
            for piece in found.pieces():
                counted.update(piece)
                out.write(piece)
        _insist(counted.hexdigest() == found.content_hash)
        draft.replace(file)
    except TamperedError as tampered:
        raise CommandError(ExitCode.UNVERIFIED, str(tampered), "awda verify") from None
    finally:
        draft.unlink(missing_ok=True)


def _insist(same: bool) -> None:  # noqa: FBT001 (the one thing it is told)
    if not same:
        raise TamperedError("what was kept is not what was attached")
