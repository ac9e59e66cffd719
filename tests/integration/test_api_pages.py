"""Pages: every thing once, in order, whatever comes and goes meanwhile."""

from __future__ import annotations

import re
from typing import Any

import pytest

from api.paging import cursor, read_cursor
from core.errors import InvalidInput
from core.runtime import Runtime
from tests.factories_api import Client, made, opened, planned, problem, registered, subnetted

DOCUMENTS = ["390.533.447-05", "529.982.247-25", "111.444.777-35", "11.222.333/0001-81"]


@pytest.fixture
def client(runtime: Runtime) -> Client:
    return Client(runtime)


def all_pages(client: Client, path: str, **query: Any) -> list[list[Any]]:
    pages = [client.get(path, **query).content]
    while pages[-1]["next"]:
        pages.append(client.get(path, **query, after=pages[-1]["next"]).content)
    return [page["items"] for page in pages]


@pytest.mark.parametrize(("limit", "sizes"), [(1, [1, 1, 1, 1, 1]), (2, [2, 2, 1]), (5, [5]), (200, [5])])
def test_pages_give_every_thing_once_and_in_order(client: Client, limit: int, sizes: list[int]) -> None:
    names = [f"Plan {letter}" for letter in "EDCBA"]
    for name in names:
        planned(client, name)
    pages = all_pages(client, "/plans", limit=limit)
    assert [len(page) for page in pages] == sizes
    assert [item["name"] for page in pages for item in page] == names


def test_what_comes_meanwhile_shifts_nothing(client: Client) -> None:
    for name in ("A", "B", "C"):
        planned(client, name)
    first = client.get("/plans", limit=2).content
    planned(client, "D")
    rest = client.get("/plans", limit=2, after=first["next"]).content
    assert [item["name"] for item in rest["items"]] == ["C", "D"]
    assert rest["next"] is None


def test_the_link_header_leads_to_the_next_page_with_its_filters(client: Client) -> None:
    for name in ("A1", "A2", "B1"):
        planned(client, name)
    answer = client.get("/plans", limit=1, name="a")
    match = re.fullmatch(r'<(?P<url>[^>]+)>; rel="next"', answer.headers["link"])
    assert match
    following = client.call("GET", match["url"].removeprefix("http://catraca.local"))
    assert [item["name"] for item in following.content["items"]] == ["A2"]
    assert "link" not in following.headers


def test_newest_first_goes_downwards(client: Client) -> None:
    for name in ("A", "B", "C"):
        planned(client, name)
    pages = all_pages(client, "/audit", limit=2, entity="plan")
    assert [item["after"]["name"] for page in pages for item in page] == ["C", "B", "A"]


@pytest.mark.parametrize("text", ["", "x", "zzzz", "MS4", "Mi41", "MS4tNQ", cursor(2**70), "💥"])
def test_a_cursor_of_somebody_else_is_refused(client: Client, text: str) -> None:
    with pytest.raises(InvalidInput):
        read_cursor(text)
    content = problem(client.get("/plans", after=text), 422, "invalid-input")
    assert content["errors"][0]["field"] == "after"
    assert read_cursor(content["errors"][0]["example"]) == 50


def test_lists_by_address_are_paged_by_address(client: Client) -> None:
    for cidr in ("100.64.9.0/30", "100.64.1.0/30", "100.64.5.0/30"):
        subnetted(client, cidr)
    pages = all_pages(client, "/subnets", limit=1)
    assert [page[0]["cidr"] for page in pages] == ["100.64.1.0/30", "100.64.5.0/30", "100.64.9.0/30"]
    [first, *_] = client.get("/subnets").content["items"]
    pages = all_pages(client, f"/subnets/{first['id']}/addresses", limit=3)
    assert [item["address"] for page in pages for item in page] == [f"100.64.1.{last}" for last in range(4)]


def test_filters_of_subscribers(client: Client) -> None:
    for document, name in zip(DOCUMENTS, ["Maria", "João 100%", "Ana Maria", "Provedor Ltda"], strict=True):
        registered(client, document, name)

    def names(**query: Any) -> list[str]:
        return [item["name"] for item in client.get("/subscribers", **query).content["items"]]

    assert names(name="maria") == ["Maria", "Ana Maria"]
    assert names(name="100%") == ["João 100%"]
    assert names(name="%") == ["João 100%"]
    assert names(document="52998224725") == ["João 100%"]
    assert names(document="11.222.333/0001-81") == ["Provedor Ltda"]
    problem(client.get("/subscribers", document="123"), 422, "invalid-input")


def test_filters_of_subscriptions(client: Client) -> None:
    first = opened(client, "maria@provedor")
    subscriber, other = client.get(f"/subscriptions/{first}").content["subscriber_id"], planned(client, "Other")
    body = {"subscriber_id": subscriber, "plan_id": other, "mac": "02-00-5E-10-00-01"}
    second = made(client.post("/subscriptions", body))

    def found(**query: Any) -> list[int]:
        return [item["id"] for item in client.get("/subscriptions", **query).content["items"]]

    assert found() == [first, second]
    assert found(state="ACTIVE") == [first]
    assert found(state="PENDING_INSTALL") == [second]
    assert found(login="maria@provedor") == [first]
    assert found(mac="02:00:5e:10:00:01") == [second]
    assert found(plan_id=other) == [second]
    assert found(subscriber_id=subscriber, state="ACTIVE") == [first]
    assert found(subscriber_id=subscriber + 1) == []
