"""``awda case attach`` and ``awda case file``: attach a file to a case, and retrieve it."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from typing import Any

import rich_click as click

from cli.context import CommandContext, run_with_context
from cli.options import OPERATOR, as_json, valid_user
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
from store.content_store import ContentStore, FileNotStoredError, FolderContentStore
from store.log.mapper import KeyErasedError, TamperedError


def content_store(context: CommandContext) -> ContentStore:
    """Returns the content store of this home."""
    return FolderContentStore(context.settings.files or context.home.files)


@click.command("attach", epilog="Example: `awda case attach LBY-2026-000001 passport.pdf --note 'seen at the office'`")
@click.argument("number", metavar="CASE")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False, exists=True))
@click.option("--note", metavar="TEXT", help="Description of the file; stored encrypted.")
@click.option("--compartment", type=click.Choice([each.value for each in FOR_FILES]), default="GEN", show_default=True,
              help="Who may read it: all case staff (GEN), medical staff or protection staff.")  # fmt: skip
@click.option("--as", "user", default=OPERATOR, show_default=True, metavar="USER", help="Acting user.",
              callback=valid_user)  # fmt: skip
@as_json
def attach_file(
    *, number: str, file: Path, note: str | None, compartment: str, user: str, as_json: bool
) -> None:  # fmt: skip
    """Attach a file (PDF, JPEG, PNG, TIFF) to a case, encrypted with the keys of the case.

    The original file is not changed.
    """

    async def work(context: CommandContext) -> AttachmentReceipt:
        case = await context.stream(number)
        about = EvidenceDetails(file.name[-120:], note, compartment)
        with file.open("rb") as opened:
            found = await attach(
                context.intake, content_store(context), opened, about, holders=[case], cases=[case], user=user
            )
        return found[0]

    found = run_with_context(work)
    done = "had been attached already" if found.repeated else "is attached"
    emit(attachment_json(found), as_json=as_json, plain=lambda: click.echo(f"{file.name} {done}."))


def attachment_json(found: AttachmentReceipt) -> dict[str, Any]:
    """Returns an attachment as ``--json`` prints it."""
    ids = {"case_id": str(found.stream_id), "message_id": str(found.message_id)}
    return {**ids, "status": found.status, "repeated": found.repeated}


@click.command("file", epilog="Example: `awda case file LBY-2026-000001 3f9a5c2e --out passport.pdf`")
@click.argument("number", metavar="CASE")
@click.argument("digest", metavar="SHA")
@click.option("--out", "file", required=True, type=click.Path(path_type=Path, dir_okay=False), help="File to write.")
@as_json
def get_file(*, number: str, digest: str, file: Path, as_json: bool) -> None:
    """Retrieve a file of a case. SHA is its digest or the beginning of it, as `awda case history --json` shows it."""

    async def work(context: CommandContext) -> dict[str, Any]:
        found = await _find(context, number, digest)
        _write(found, file)
        return {"file": str(file), "name": found.file_name, "media_type": found.media_type, "bytes": found.opened.size}

    data = run_with_context(work)
    emit(data, as_json=as_json, plain=lambda: click.echo(f"{file}: {data['name']}, {data['media_type']}."))


async def _find(context: CommandContext, number: str, digest: str) -> EvidenceFile:
    try:
        return await evidence(context.intake, content_store(context), await context.stream(number), digest)
    except (EvidenceNotFoundError, FileNotStoredError) as missing:
        raise CommandError(ExitCode.NOT_FOUND, str(missing), f"awda case history {number}") from None
    except KeyErasedError as erased:
        raise CommandError(ExitCode.REFUSED, f"{number}: {erased}", f"awda case history {number}") from None


def _write(found: EvidenceFile, file: Path) -> None:
    """Writes the file with access for its owner only. A file whose digest does not match is not kept."""
    counted, draft = sha256(), file.with_name(f".{file.name}.part")
    draft.unlink(missing_ok=True)
    draft.touch(0o600)
    try:
        with draft.open("wb") as out:
            for piece in found.pieces():
                counted.update(piece)
                out.write(piece)
        _require_match(counted.hexdigest() == found.content_hash)
        draft.replace(file)
    except TamperedError as tampered:
        raise CommandError(ExitCode.UNVERIFIED, str(tampered), "awda verify") from None
    finally:
        draft.unlink(missing_ok=True)


def _require_match(same: bool) -> None:  # noqa: FBT001 - the only argument
    if not same:
        raise TamperedError("the stored file is not the file that was attached")
