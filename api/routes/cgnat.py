"""CGNAT rules: which public address and ports each inside address has, and from when to when that held."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query
from pydantic import Field
from starlette.requests import Request

from api.fields import Address, Instant, Int, Name, PathKey
from api.models import Body, Page, View, columns
from api.paging import Pages
from api.requests import read, write
from core.database import Transaction
from core.errors import InvalidInput
from ipam import cgnat_rules
from ipam.cgnat import Layout
from ipam.cgnat_routeros import commands
from ipam.models import CgnatRule

router = APIRouter(prefix="/api/v1/cgnat-rules", tags=["ipam"])
RuleId = Annotated[PathKey, Path(description="The rule's id", examples=[3])]
MOST_LINES = 20_000


class RuleIn(Body):
    name: Name = Field(description="What people call it", examples=["pop-1"])
    inside_first: Address = Field(description="The first inside address", examples=["100.64.0.0"])
    inside_last: Address = Field(description="The last inside address", examples=["100.64.7.255"])
    outside_first: Address = Field(description="The first public address", examples=["203.0.113.0"])
    outside_last: Address = Field(description="The last public address", examples=["203.0.113.31"])
    block_size: Int = Field(description="Ports of each inside address", examples=[1008])
    first_port: Int = Field(1024, description="The first port that is shared out", examples=[1024])
    last_port: Int = Field(65535, description="The last port that is shared out", examples=[65535])
    layout: Layout = Field(
        "sequential",
        description="sequential: neighbours share a public address; netmap: they have one block of neighbouring ones",
        examples=["sequential"],
    )
    since: Instant | None = Field(
        None, description="From when routers do this; null: now", examples=["2026-03-01T00:00:00-03:00"]
    )
    until: Instant | None = Field(
        None, description="Until when; null: until the rule is closed", examples=["2027-01-01T00:00:00-03:00"]
    )


class CloseIn(Body):
    until: Instant | None = Field(
        None, description="Since when routers do this no more; null: now", examples=["2026-09-01T03:00:00-03:00"]
    )


class RuleView(View):
    model_config = columns(
        "id", "name", "inside_first", "inside_last", "outside_first", "outside_last", "block_size", "since", "until"
    )

    id: int = Field(description="The rule's id", examples=[3])
    name: str = Field(description="What people call it", examples=["pop-1"])
    inside_first: Address = Field(description="The first inside address", examples=["100.64.0.0"])
    inside_last: Address = Field(description="The last inside address", examples=["100.64.7.255"])
    outside_first: Address = Field(description="The first public address", examples=["203.0.113.0"])
    outside_last: Address = Field(description="The last public address", examples=["203.0.113.31"])
    first_port: int = Field(description="The first port that is shared out", examples=[1024])
    last_port: int = Field(description="The last port that is shared out", examples=[65535])
    block_size: int = Field(description="Ports of each inside address", examples=[1008])
    blocks: int = Field(description="Inside addresses to a public one", examples=[64])
    capacity: int = Field(description="Inside addresses that the public ones can serve", examples=[2048])
    layout: Layout = Field(description="sequential or netmap", examples=["sequential"])
    since: Instant = Field(description="From when", examples=["2026-03-01T03:00:00Z"])
    until: Instant | None = Field(description="Until when; null: until it is closed", examples=["2027-01-01T03:00:00Z"])

    @classmethod
    def made(cls, rule: CgnatRule) -> RuleView:
        mapping = cgnat_rules.mapping_of(rule)
        return cls.of(rule, blocks=mapping.blocks, capacity=mapping.capacity)


class CommandsView(View):
    commands: list[str] = Field(
        description="Lines for the router's terminal, in order", examples=[["/ip firewall nat", "add chain=srcnat …"]]
    )


@router.post("", operation_id="cgnat.add", status_code=201, summary="A rule: inside shares outside, from when on")
def add(request: Request, body: RuleIn) -> RuleView:
    given = body.given()
    for field in ("inside_first", "inside_last", "outside_first", "outside_last"):
        given[field] = str(given[field])
    return write(request, lambda tx: RuleView.made(cgnat_rules.add_rule(tx, **given)))


@router.get("", operation_id="cgnat.list", summary="The rules, newest first")
def list_all(
    request: Request,
    pages: Pages,
    at: Annotated[
        Instant | None, Query(description="Only those that held at this instant", examples=["2026-03-02T12:00:00Z"])
    ] = None,
) -> Page[RuleView]:
    def look(tx: Transaction) -> Page[RuleView]:
        rules = cgnat_rules.list_rules(tx, at=at, before=pages.place, limit=pages.limit + 1)
        return pages.made([(rule.id, rule) for rule in rules], RuleView.made)

    return read(request, look)


@router.get("/{rule_id}", operation_id="cgnat.show", summary="One rule")
def show(request: Request, rule_id: RuleId) -> RuleView:
    return read(request, lambda tx: RuleView.made(cgnat_rules.get_rule(tx, rule_id)))


@router.get("/{rule_id}/routeros", operation_id="cgnat.routeros", summary="The rule as RouterOS commands")
def routeros(request: Request, rule_id: RuleId) -> CommandsView:
    def look(tx: Transaction) -> CommandsView:
        rule = cgnat_rules.get_rule(tx, rule_id)
        mapping = cgnat_rules.mapping_of(rule)
        lines = []
        for line in commands(mapping, rule.name):
            lines.append(line)
            if len(lines) > MOST_LINES:
                words = f"a rule that takes at most {MOST_LINES} commands; use the layout netmap, or several rules"
                raise InvalidInput("rule_id", words, rule_id)
        return CommandsView(commands=lines)

    return read(request, look)


@router.post("/{rule_id}/close", operation_id="cgnat.close", summary="The rule holds no more; it is never deleted")
def close(request: Request, rule_id: RuleId, body: CloseIn) -> RuleView:
    return write(request, lambda tx: RuleView.made(cgnat_rules.close_rule(tx, rule_id=rule_id, until=body.until)))
