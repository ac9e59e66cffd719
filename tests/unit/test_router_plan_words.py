"""Plans in words, in both languages, and as JSON: everything is said, and no secret."""

from __future__ import annotations

import json

import pytest

from provisioning.facts import ServiceState
from provisioning.routeros.desired.state import desired
from provisioning.routeros.plan.problem_words import PHRASES, in_portuguese, problem
from provisioning.routeros.plan.smallest import plan
from provisioning.routeros.plan.words import plan_json, plan_lines
from provisioning.routeros.rows import Access, Menu, Plan
from tests.factories_desired import GARDEN, PaperRouter, grant, policy, rules, served, settled

ENGLISH = """\
- /ip/firewall/address-list catraca-suspended 198.51.100.7 (subscription 7)
+ /ppp/profile catraca-500M-250M-HASH (the router's own): rate-limit=250M/500M, remote-address=pool-a, only-one=yes
~ /queue/simple user7 (subscription 7): max-limit: 256000/256000 → 250000000/500000000
+ /ppp/secret user3 (subscription 3): password=•••, service=pppoe, profile=catraca-500M-250M-HASH
~ /ppp/secret user1 (subscription 1): password: •••
~ /ppp/secret user2 (subscription 2): profile: catraca-500M-250M-HASH → catraca-500M-250M-HASH
- /ppp/secret user9 (subscription 9): nobody asked for it
x end the session of user2 (subscription 2): its queue shows another speed
2 to add, 3 to change, 2 to remove, 0 to move, 1 sessions to end.
Problems: 2.
! subscription 4: PPP needs a login and a password: give the subscription both
! subscription 5: /ppp/secret already has user5 (*1), which is not ours: adopt it, or take it away at the router"""

PORTUGUESE = """\
- /ip/firewall/address-list catraca-suspended 198.51.100.7 (assinatura 7)
+ /ppp/profile catraca-500M-250M-HASH (do próprio roteador): rate-limit=250M/500M, remote-address=pool-a, only-one=yes
~ /queue/simple user7 (assinatura 7): max-limit: 256000/256000 → 250000000/500000000
+ /ppp/secret user3 (assinatura 3): password=•••, service=pppoe, profile=catraca-500M-250M-HASH
~ /ppp/secret user1 (assinatura 1): password: •••
~ /ppp/secret user2 (assinatura 2): profile: catraca-500M-250M-HASH → catraca-500M-250M-HASH
- /ppp/secret user9 (assinatura 9): ninguém pediu
x derrubar a sessão de user2 (assinatura 2): a fila mostra outra velocidade
2 a incluir, 3 a alterar, 2 a remover, 0 a mover, 1 sessões a cair.
Problemas: 2.
! assinatura 4: PPP precisa de login e senha: dê ambos à assinatura
! assinatura 5: /ppp/secret já tem user5 (*1), que não é nossa: adote-a, ou remova-a no roteador"""


def example() -> Plan:
    """One of everything that a night may bring."""
    address = "198.51.100.7"
    late = grant(policy(256_000, 256_000, "catraca-suspended"), address)
    before = [served(1), served(2), served(9), served(7, Access.STATIC, late, ServiceState.SUSPENDED)]
    router = PaperRouter()
    router.put(Menu.PPP_SECRET, name="user5", password="hush")
    router.apply(plan(desired(before, rules()), router.observe()))
    router.put(Menu.PPP_ACTIVE, name="user2", service="pppoe")
    router.put(Menu.SIMPLE_QUEUE, name="<pppoe-user2>", target="", dynamic="yes", max_limit="1M/1M")
    after = [
        served(1, password="new-secret"),
        served(2, answer=grant(policy(pool="pool-a"))),
        served(3),
        served(4, login=""),
        served(5),
        served(7, Access.STATIC, grant(policy(), address)),
    ]
    return plan(desired(after, rules()), router.observe())


@pytest.mark.parametrize(("language", "expected"), [("en", ENGLISH), ("pt-BR", PORTUGUESE)])
def test_a_plan_in_words(language: str, expected: str) -> None:
    made = example()
    names = {row["fields"]["profile"][-8:] for row in plan_json(made)["steps"] if "profile" in row.get("fields", {})}
    names |= {row["was"]["profile"][-8:] for row in plan_json(made)["steps"] if "profile" in row.get("was", {})}
    told = "\n".join(plan_lines(made, language))
    for name in names:
        told = told.replace(name, "HASH")
    assert told == expected


def test_json_says_the_same_and_no_secret() -> None:
    told = plan_json(example())
    text = json.dumps(told)
    assert all(secret not in text for secret in ("secret1", "secret3", "new-secret", "hush"))
    assert told["counts"] == {"add": 2, "change": 3, "remove": 2, "move": 0, "end": 1, "held": 0, "problems": 2}
    password = next(step for step in told["steps"] if step["do"] == "change" and step["subscription_id"] == 1)
    assert (password["fields"], password["was"]) == ({"password": "•••"}, {"password": "•••"})
    assert [step["stage"] for step in told["steps"]] == sorted(step["stage"] for step in told["steps"])


def test_an_empty_plan_says_so() -> None:
    assert plan_lines(Plan()) == ["Nothing to do: the router is as it should be."]
    assert plan_lines(Plan(), "pt") == ["Nada a fazer: o roteador está como deve."]


def test_what_is_held_is_listed() -> None:
    router = settled([served(number) for number in range(1, 4)])
    made = plan(desired([], rules()), router.observe(), removal_cap=2)
    assert plan_lines(made) == [
        "Nothing to do: the router is as it should be.",
        "Held by the guard: 3 removals that nobody asked for. They wait for an approval.",
        *(f"- /ppp/secret user{number} (subscription {number}): nobody asked for it" for number in range(1, 4)),
    ]
    assert [step["orphan"] for step in plan_json(made)["held"]] == [True] * 3


def test_moves_and_rules_of_the_garden_are_told() -> None:
    router = settled([], rules(garden=GARDEN))
    rows = router.menus[Menu.FILTER]
    rows.append(rows.pop(0))
    lines = plan_lines(plan(desired([], rules(garden=GARDEN)), router.observe()))
    assert (
        lines[0]
        == f"> /ip/firewall/filter forward accept [garden:filter:01] (the router's own): in front of {rows[0]['.id']}"
    )


@pytest.mark.parametrize("phrase", PHRASES)
def test_each_problem_is_known_again_in_portuguese(phrase: str) -> None:
    english, portuguese = PHRASES[phrase]
    names = [part.split("}")[0] for part in english.split("{")[1:]]
    assert sorted(names) == sorted(part.split("}")[0] for part in portuguese.split("{")[1:])
    values = {name: f"<{name}> (x)" for name in names}
    assert in_portuguese(problem(42, phrase, **values).words) == portuguese.format(**values)


def test_words_that_are_no_phrase_stay() -> None:
    assert in_portuguese("router unreachable") == "router unreachable"
