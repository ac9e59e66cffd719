"""The registry of permissions knows every word that anybody asks for."""

from __future__ import annotations

import pytest

from api.permits import needs
from billing_bridge import payments
from billing_bridge.dunning import guards
from core.actor import Actor
from core.errors import InvalidInput
from core.permissions import API, PERMISSIONS, SELF_SERVICE, checked_permissions
from provisioning.trust import unblock as trust


def test_the_words_that_commands_ask_for_are_registered() -> None:
    assert {guards.APPROVE, payments.CHANGE_AMOUNT, trust.BEYOND_RULES, API, SELF_SERVICE} == set(PERMISSIONS)


def test_words_are_kept_sorted_and_once() -> None:
    assert checked_permissions(["self-service", "api", "api"]) == ["api", "self-service"]


@pytest.mark.parametrize("words", [[], ["API"], ["api", "api "]], ids=["none", "capitals", "a blank"])
def test_other_words_are_refused(words: list[str]) -> None:
    with pytest.raises(InvalidInput):
        checked_permissions(words)


def test_a_route_cannot_need_a_word_that_is_not_registered() -> None:
    with pytest.raises(ValueError, match=r"core\.permissions"):
        needs("selfservice")


@pytest.mark.parametrize(
    ("permissions", "may"),
    [
        pytest.param(None, True, id="everything"),
        pytest.param(frozenset({API}), True, id="the word"),
        pytest.param(frozenset({SELF_SERVICE}), False, id="another word"),
        pytest.param(frozenset(), False, id="none"),
    ],
)
def test_an_actor_may_what_it_holds(permissions: frozenset[str] | None, may: bool) -> None:
    assert Actor("ana", "api", permissions=permissions).may(API) is may
