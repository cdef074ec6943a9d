"""Partner desks: decisions about unroutable messages are recorded with their author and reason."""

from __future__ import annotations

import pytest

from domain.kernel.errors import Rejected
from domain.kernel.message import MESSAGES
from domain.kernel.sentences import code_in_words
from domain.partner_desk import PartnerDesk, decide, progress_of
from domain.streams import KINDS
from tests.support.assertions import redacted
from tests.support.builders import NAMESPACE, CaseScenario
from tests.support.journeys import decided_at_the_desk


def test_every_decision_names_the_message_and_the_cause_of_its_quarantine() -> None:
    for event in decided_at_the_desk():
        assert str(event.kept_message) in event.say()  # type: ignore[attr-defined]
        assert code_in_words(event.cause) in event.say()  # type: ignore[attr-defined]


def test_the_reason_of_a_decision_is_sealed() -> None:
    for event in decided_at_the_desk():
        assert event.reason  # type: ignore[attr-defined]
        assert redacted(event).reason is None  # type: ignore[attr-defined]


def test_a_desk_is_rebuilt_from_its_events_alone() -> None:
    desk = PartnerDesk(decided_at_the_desk()[0].originator_id)
    for event in decided_at_the_desk():
        event.mutate(desk)
    assert sorted(desk.decided.values()) == ["SignalSetAside", "SignalTakenUpAgain"]


def test_a_desk_accepts_only_decisions() -> None:
    with pytest.raises(Rejected, match="NOT_FOR_A_DESK"):
        decide(PartnerDesk(NAMESPACE), MESSAGES["AddNote"].model_validate({"note": "x"}), CaseScenario().moment())


def test_a_desk_is_over_after_each_decision() -> None:
    desk, m = PartnerDesk(NAMESPACE), CaseScenario().moment()
    assert progress_of(desk, m).over
    kind = KINDS["desk"]
    assert kind.next_wake(desk, m) is None
    assert list(kind.letters(desk, decided_at_the_desk()[0])) == []
