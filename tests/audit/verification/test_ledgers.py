"""Verification of ledgers: an acknowledged message that is missing, moved or changed is found."""

from __future__ import annotations

from uuid import UUID

import pytest

from store.messages.ledger import Ledger, PartnerMessage
from store.messages.receipts import ReceiptKey, publish
from tests.audit.verification.test_verify import verified
from tests.support.recorded_archive import RecordedArchive

CLINIC, EMBASSY = "clinic-tripoli", "embassy-nga"


async def a_ledger(archive: RecordedArchive) -> list[UUID]:
    """Records five messages of a clinic and one of an embassy, none of which belongs to a case."""
    sources = [CLINIC] * 5 + [EMBASSY]
    signals = [
        PartnerMessage(sender, f"m-{n}", "an-unknown-token", b"{}", b"{}", f"partner:{sender}", f"partner:{sender}")
        for n, sender in enumerate(sources)
    ]
    await Ledger(archive.pool, archive.keys).accept(signals)
    await publish(archive.pool, ReceiptKey(archive.keys.master))
    return [signal.message_id for signal in signals]


async def test_what_was_acknowledged_and_is_there_is_clean(archive: RecordedArchive) -> None:
    await a_ledger(archive)

    report = await verified(archive)

    assert str(report) == "clean"
    assert (report.checked["ledgers"], report.checked["acknowledged"]) == (2, 6)
    assert (report.checked["strays"], report.checked["in_doubt"]) == (6, 6)


TAMPERED = {
    "a message that is gone": ("accounts", "number 3", "DELETE FROM inbox WHERE message_id = $1"),
    "an entry that is gone": ("ledger", "number 4 found where number 3 was expected", "DELETE FROM ledger WHERE message_id = $1"),
    "a number that was changed": ("ledger", "number 9", "UPDATE ledger SET seq = 9 WHERE message_id = $1"),
    "a time in the ledger": ("ledger", "number 3", "UPDATE ledger SET received_at = received_at + interval '1 s' WHERE message_id = $1"),
    "a time in the inbox": ("accounts", "number 3", "UPDATE inbox SET received_at = received_at - interval '1 s' WHERE message_id = $1"),
    "another sender": ("accounts", "number 3", "UPDATE inbox SET partner_id = 'carrier' WHERE message_id = $1"),
    "a sealed entry": ("ledger", "number 3", "UPDATE ledger SET entry = (SELECT entry FROM ledger WHERE seq = 2) WHERE message_id = $1"),
    "a result": ("accounts", "without a result", "UPDATE inbox SET result = NULL WHERE message_id = $1"),
    "a body": ("seal", "was changed or moved", "UPDATE inbox SET body = overlay(body PLACING '\\x00'::bytea FROM 30 FOR 1) WHERE message_id = $1"),
    "a status of no meaning": ("accounts", "belongs to no case and is still pending", "UPDATE inbox SET status = 'pending' WHERE message_id = $1"),
    "a decision that is not there": ("ledger", "was resolved by a message that does not exist", "UPDATE inbox SET resolved_by = gen_random_uuid() WHERE message_id = $1"),
    "a head": ("ledger", "the ledger head is at number 4", "UPDATE ledger_heads SET seq = 4 WHERE partner_id = (SELECT partner_id FROM ledger WHERE message_id = $1)"),
}  # fmt: skip


@pytest.mark.parametrize("what", TAMPERED)
async def test_an_edit_of_the_accounts_by_hand_is_found_and_named(archive: RecordedArchive, what: str) -> None:
    messages = await a_ledger(archive)
    kind, detail, statement = TAMPERED[what]
    await archive.tamper(statement, messages[2])

    report = await verified(archive)

    assert any(each.kind == kind and detail in each.detail for each in report.findings), str(report)


async def test_the_last_entries_cannot_be_cut_off(archive: RecordedArchive) -> None:
    await a_ledger(archive)
    await archive.tamper("DELETE FROM ledger WHERE partner_id = $1 AND seq > 3", CLINIC)

    details = [each.detail for each in (await verified(archive)).findings]

    assert any("the ledger head is at number 5, but the entries end at 3" in detail for detail in details)
    assert any("5 messages received, 3 accounted for" in detail for detail in details)
    assert any("has no ledger number" in detail for detail in details)


async def test_a_receipt_that_nobody_can_check_is_found(archive: RecordedArchive) -> None:
    await a_ledger(archive)
    await archive.tamper("UPDATE receipt_keys SET public = sha256('x')")

    assert [each.kind for each in (await verified(archive)).findings] == ["receipt"]
