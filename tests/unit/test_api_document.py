"""The OpenAPI document: complete, with examples that the API itself would take, and a command for each verb."""

from __future__ import annotations

import re
from typing import Any

import click
import pytest
from pydantic import BaseModel

import api.routes
from api import assembly
from api.app import document
from api.cli.groups import GROUPS
from api.cli.verbs import make_verb
from api.models import Body, View
from api.openapi import Operation, operations
from api.problems import EXPLANATIONS
from api.rules import example
from core.errors import CatracaError

DOCUMENT = document()
OPERATIONS = list(operations(DOCUMENT))
SCHEMAS: dict[str, Any] = DOCUMENT["components"]["schemas"]


def subclasses(kind: type[Any]) -> set[type[Any]]:
    found = set(kind.__subclasses__())
    return found.union(*(subclasses(item) for item in found))


def of_id(operation: Operation) -> str:
    return operation.operation_id


@pytest.mark.parametrize("operation", OPERATIONS, ids=of_id)
def test_a_verb_has_a_name_a_summary_and_described_parameters(operation: Operation) -> None:
    assert re.fullmatch(r"[a-z]+(-[a-z]+)*\.[a-z]+(-[a-z]+)*", operation.operation_id)
    assert operation.content["summary"]
    for parameter in operation.parameters:
        assert parameter.get("description"), parameter["name"]
        assert example(parameter["schema"]) is not None, parameter["name"]


def test_names_of_verbs_are_unique() -> None:
    names = [item.operation_id for item in OPERATIONS]
    assert len(names) == len(set(names))


@pytest.mark.parametrize(
    ("schema", "field"),
    [(name, field) for name, schema in SCHEMAS.items() if name != "Problem" for field in schema.get("properties", {})],
)
def test_a_field_has_a_description_and_an_example(schema: str, field: str) -> None:
    assert SCHEMAS[schema]["properties"][field].get("description")
    assert SCHEMAS[schema]["examples"][0].get(field) is not None


@pytest.mark.parametrize("kind", sorted(subclasses(Body), key=str), ids=lambda kind: kind.__name__)
def test_the_example_of_a_body_is_valid(kind: type[BaseModel]) -> None:
    if kind.model_fields:
        kind.model_validate(SCHEMAS[kind.__name__]["examples"][0])


def test_every_body_and_view_that_routes_use_is_of_our_kinds() -> None:
    known = {kind.__name__ for kind in subclasses(Body) | subclasses(View)}
    texts = {"Problem", "AlertCode", "InvoiceStatus", "Reason", "ServiceState", "Verdict"}
    plain = {name for name in SCHEMAS if not name.startswith("Page_")} - texts
    assert plain <= known


def test_no_answer_has_a_field_that_would_hold_a_secret() -> None:
    answered = {name for kind in subclasses(View) for name in kind.model_fields}
    assert not answered & {"password", "secret", "sha256", "fingerprint"}


@pytest.mark.parametrize("operation", OPERATIONS, ids=of_id)
def test_a_problem_is_among_the_answers(operation: Operation) -> None:
    assert "422" not in operation.content["responses"]
    assert "application/problem+json" in operation.content["responses"]["default"]["content"]


def test_only_what_is_outside_the_api_or_signed_is_open_to_all() -> None:
    open_to_all = {item.operation_id for item in OPERATIONS if item.content.get("security") == []}
    signed = {"intake.receive"}
    assert open_to_all == {"health.live", "health.ready", "health.radius", "problem.explain"} | signed


def test_the_groups_of_the_command_line_are_those_of_the_document() -> None:
    assert {item.operation_id.partition(".")[0] for item in OPERATIONS} == set(GROUPS)


@pytest.mark.parametrize("operation", OPERATIONS, ids=of_id)
def test_a_verb_is_a_command_with_an_option_for_each_field(operation: Operation) -> None:
    command = make_verb(operation)
    names = {parameter.name for parameter in command.params}
    assert names >= set(operation.body.get("properties", {}))
    assert names >= {item["name"] for item in operation.parameters if item["in"] in ("path", "query")}
    with click.Context(command) as context:
        assert operation.content["summary"].split()[0] in command.get_help(context)


def test_every_error_is_explained() -> None:
    assembly.load()
    slugs = {CatracaError.slug} | {kind.slug for kind in subclasses(CatracaError)}
    assert slugs <= set(EXPLANATIONS)


def test_every_module_of_routes_is_mounted() -> None:
    mounted = {id(router) for router in api.routes.ROUTERS}
    modules = [getattr(api.routes, name) for name in dir(api.routes) if hasattr(getattr(api.routes, name), "router")]
    assert {id(module.router) for module in modules} == mounted
