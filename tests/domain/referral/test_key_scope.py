"""Scope of a partner key: only what it was given, and always statements of the person."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from domain.kernel.vocabulary import STATEMENTS, ReferralKind, SignalType
from domain.referral.key_scope import UNLIMITED, KeyScope

KINDS = st.sampled_from(ReferralKind)

SIGNALS = st.sampled_from(SignalType)

SCOPES = st.builds(KeyScope, st.none() | st.frozensets(KINDS), st.none() | st.frozensets(SIGNALS))


@given(SCOPES, KINDS, SIGNALS)
def test_a_limited_key_may_not_sign_for_another_kind_or_type(
    scope: KeyScope, kind: ReferralKind, signal: SignalType
) -> None:
    outside = (scope.kinds is not None and kind not in scope.kinds) or (
        scope.signals is not None and signal not in scope.signals
    )
    assert scope.permits(kind, signal) is (signal in STATEMENTS or not outside)


@given(SCOPES, KINDS, st.sampled_from(sorted(STATEMENTS)))
def test_a_statement_of_the_person_passes_under_every_key(
    scope: KeyScope, kind: ReferralKind, signal: SignalType
) -> None:
    assert scope.permits(kind, signal)
    assert scope.permits(None, signal)


@given(st.frozensets(KINDS), SIGNALS)
def test_a_key_limited_to_kinds_may_not_sign_for_an_unknown_kind(
    kinds: frozenset[ReferralKind], signal: SignalType
) -> None:
    assert KeyScope(kinds).permits(None, signal) is (signal in STATEMENTS)


@given(KINDS, SIGNALS)
def test_a_key_without_limits_may_sign_everything(kind: ReferralKind, signal: SignalType) -> None:
    assert UNLIMITED.permits(kind, signal)
    assert not UNLIMITED.limited
