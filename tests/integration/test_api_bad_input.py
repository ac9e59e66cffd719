"""Every field of every verb, given what it cannot take: the answer names the field, the rule and an example.

The cases are made from the OpenAPI document, so a new field is tested from the day it exists. Nothing here reaches a
command: what a command refuses by its own rules is in the second table, which runs on both databases.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from api.app import document
from api.openapi import Json, Operation, operations, resolve
from api.rules import example
from core.clock import system_clock
from core.database import Database
from core.migrate import migrate
from core.runtime import Runtime
from core.secrets import open_keyring
from core.settings import Settings
from tests.factories_api import Client, invoiced, made, opened, problem, subnetted
from tests.ticking import FakeClock

OPERATIONS = list(operations(document()))
HUGE = 10**30


def bad_values(schema: Json) -> Iterator[tuple[str, Any]]:
    """(name, value) of what a field of this schema must not take, whatever it means."""
    if not schema.get("nullable") and "null" not in str(schema.get("type")):
        yield "null", None
    match schema.get("type"):
        case "integer":
            yield from (("text", "7"), ("fraction", 1.5), ("true", True), ("list", [1]), ("huge", HUGE))
        case "boolean":
            yield from (("word", "yes"), ("number", 1), ("list", [True]))
        case "array":
            words = schema["items"].get("type") == "string" and "enum" not in schema["items"]
            yield from (("text", "1"), ("number", 1), ("entry", [7] if words else ["x"]), ("object", {}))
        case "string":
            yield from (("number", 7), ("list", ["x"]), ("object", {"a": 1}))
            yield from _bad_texts(schema)
        case _:
            yield from (("words", "fast"), ("fraction", 1.5), ("zero", 0), ("list", [1]), ("huge", HUGE))


def _bad_texts(schema: Json) -> Iterator[tuple[str, Any]]:
    match schema.get("format"):
        case "date-time":
            yield from (
                ("naive", "2026-03-05T18:00:00"),
                ("words", "tomorrow"),
                ("no such day", "2026-02-30T00:00:00Z"),
            )
        case "date":
            yield from (("other notation", "05/03/2026"), ("no such day", "2026-02-30"), ("empty", ""))
        case "ip":
            yield from (("words", "router"), ("out of range", "100.64.0.256"), ("empty", ""))
        case _:
            yield "half a character", "a\ud800b"
            yield "too long", "x" * (schema.get("maxLength", 4999) + 1)
            if "enum" in schema:
                yield "other word", "nonsense"
            elif schema.get("format") != "password":
                yield "NUL", "a\x00b"


def body_cases() -> Iterator[Any]:
    for operation in OPERATIONS:
        for field, raw in operation.body.get("properties", {}).items():
            schema = resolve(raw, operation.schemas)
            for name, value in bad_values(schema):
                yield pytest.param(operation, field, value, id=f"{operation.operation_id} {field}: {name}")


def query_cases() -> Iterator[Any]:
    for operation in OPERATIONS:
        for parameter in operation.parameters:
            if parameter["in"] != "query":
                continue
            schema = resolve(parameter["schema"], operation.schemas)
            bad = {"integer": "seven", "boolean": "perhaps"}.get(schema["type"])
            if bad is None:
                bad = "nonsense" if "enum" in schema or "format" in schema else "x" * 5000
            yield pytest.param(operation, parameter["name"], bad, id=f"{operation.operation_id} ?{parameter['name']}")


def of_id(operation: Operation) -> str:
    return operation.operation_id


WITH_BODY = [operation for operation in OPERATIONS if operation.body]


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """One API for all cases: none of them changes anything."""
    directory: Path = tmp_path_factory.mktemp("bad-input")
    settings = Settings(data_dir=directory)
    keyring = open_keyring(settings.resolved_key_file)
    database = Database(settings.resolved_database_url, keyring, system_clock)
    migrate(database)
    yield Client(Runtime(settings, database, keyring, system_clock))
    database.close()


def address_of(operation: Operation) -> str:
    """The verb's address with the examples of its path parameters."""
    words = {item["name"]: example(item["schema"]) for item in operation.parameters if item["in"] == "path"}
    return operation.path.format(**words)


def entry_for(content: Json, field: str) -> Json:
    entry: Json = next(item for item in content["errors"] if item["field"].partition(".")[0] == field)
    return entry


@pytest.mark.parametrize(("operation", "field", "value"), list(body_cases()))
def test_a_bad_value_is_refused_with_field_rule_and_example(
    client: Client, operation: Operation, field: str, value: Any
) -> None:
    good = operation.body["examples"][0]
    content = problem(
        client.call(operation.method, address_of(operation), {**good, field: value}), 422, "invalid-input"
    )
    entry = entry_for(content, field)
    assert entry["rule"]
    assert entry["rule"] in content["detail"]
    assert entry["example"] is not None
    assert re.fullmatch(rf"{field}(\.\d+)?", entry["field"])


@pytest.mark.parametrize(("operation", "field", "value"), list(query_cases()))
def test_a_bad_query_parameter_is_refused_in_the_same_way(
    client: Client, operation: Operation, field: str, value: str
) -> None:
    answer = client.call(operation.method, address_of(operation), query={field: value})
    entry = entry_for(problem(answer, 422, "invalid-input"), field)
    assert entry["rule"]
    assert entry["example"] is not None


@pytest.mark.parametrize("operation", WITH_BODY, ids=of_id)
def test_an_unknown_field_is_refused_and_the_known_ones_are_named(client: Client, operation: Operation) -> None:
    body = {**operation.body["examples"][0], "colour": "red"}
    content = problem(client.call(operation.method, address_of(operation), body), 422, "invalid-input")
    entry = entry_for(content, "colour")
    for field in operation.body["properties"]:
        assert field in entry["rule"]


@pytest.mark.parametrize("operation", [item for item in WITH_BODY if item.body.get("required")], ids=of_id)
def test_required_fields_that_are_missing_are_all_named(client: Client, operation: Operation) -> None:
    required = operation.body["required"]
    content = problem(client.call(operation.method, address_of(operation), {}), 422, "invalid-input")
    assert [item["field"] for item in content["errors"]] == required
    assert {item["rule"] for item in content["errors"]} == {"is required"}


@pytest.mark.parametrize("operation", WITH_BODY, ids=of_id)
@pytest.mark.parametrize(
    ("body", "status", "slug"),
    [
        pytest.param(b"{", 400, "malformed-json", id="cut off"),
        pytest.param(b"\xff\xfe", 400, "malformed-json", id="not UTF-8"),
        pytest.param(b"[" * 50_000, 400, "malformed-json", id="deeply nested"),
        pytest.param(b'{"a": ' + b"9" * 5000 + b"}", 400, "malformed-json", id="number of 5000 digits"),
        pytest.param(b"[1]", 422, "invalid-input", id="list"),
        pytest.param(b"null", 422, "invalid-input", id="null"),
        pytest.param(b"", 422, "invalid-input", id="nothing"),
    ],
)
def test_a_body_that_is_no_object_is_refused_with_an_example(
    client: Client, operation: Operation, body: bytes, status: int, slug: str
) -> None:
    content = problem(client.call(operation.method, address_of(operation), body), status, slug)
    assert content["errors"][0]["field"] == "body"
    assert content["errors"][0]["example"] == operation.body["examples"][0]


@pytest.mark.parametrize("operation", [item for item in OPERATIONS if item.method == "PATCH"], ids=of_id)
def test_a_change_of_nothing_is_refused(client: Client, operation: Operation) -> None:
    content = problem(client.call("PATCH", address_of(operation), {}), 422, "invalid-input")
    assert "at least one field" in content["errors"][0]["rule"]


@pytest.mark.parametrize(
    "operation",
    [item for item in OPERATIONS if "{" in item.path and "{slug}" not in item.path and "{router}" not in item.path],
    ids=of_id,
)
def test_an_id_that_is_no_number_is_refused(client: Client, operation: Operation) -> None:
    names = [item["name"] for item in operation.parameters if item["in"] == "path"]
    name, path = names[0], operation.path.format(**dict.fromkeys(names, "seven"))
    body = operation.body["examples"][0] if operation.body else None
    entry = entry_for(problem(client.call(operation.method, path, body), 422, "invalid-input"), name)
    assert entry["example"] is not None


RULES_OF_COMMANDS = [
    ("POST", "/subscribers", "document", "123.456.789-00"),
    ("POST", "/subscribers", "document", "111.111.111-11"),
    ("POST", "/subscribers", "email", "maria"),
    ("POST", "/subscribers", "phone", "call me"),
    ("POST", "/subscribers", "region", "São Paulo"),
    ("POST", "/subscribers", "birth_date", "2999-01-01"),
    ("POST", "/subscribers", "name", " "),
    ("POST", "/plans", "name", ""),
    ("POST", "/plans", "download_bps", 1),
    ("POST", "/plans", "price_cents", 10**11),
    ("POST", "/plans", "reduced_upload_bps", None),
    ("POST", "/subscriptions", "login", "maria silva"),
    ("POST", "/subscriptions", "mac", "zz:zz"),
    ("POST", "/subscriptions", "password", None),
    ("POST", "/billing-methods", "partial_days", 90),
    ("POST", "/billing-methods", "total_days", 0),
    ("POST", "/nas", "network", "0.0.0.0/0"),
    ("POST", "/nas", "vendor", "abacus"),
    ("POST", "/nas", "secret", "short"),
    ("POST", "/nas", "coa_port", 99999),
    ("POST", "/subnets", "cidr", "100.64.0.1/24"),
    ("POST", "/subnets", "cidr", "127.0.0.0/24"),
    ("POST", "/subnets", "gateway", "10.9.9.9"),
    ("POST", "/subnets", "quarantine_days", -1),
    ("POST", "/subnets/{subnet}/reserved-ranges", "first", "10.0.0.1"),
    ("POST", "/subscriptions/{subscription}/billing", "due_day", 30),
    ("POST", "/subscriptions/{subscription}/speed", "upload_bps", "1k"),
    ("POST", "/subscriptions/{subscription}/speed", "until", "2020-01-01T00:00:00Z"),
    ("POST", "/subscriptions/{subscription}/pause", "until", "2020-01-01T00:00:00Z"),
    ("POST", "/invoices/{invoice}/pay", "amount_cents", 10**10),
    ("POST", "/invoices/{invoice}/pay", "paid_at", "2999-01-01T00:00:00Z"),
    ("POST", "/invoices/{invoice}/pay", "method", ""),
    ("POST", "/invoices/{invoice}/cancel", "note", ""),
    ("POST", "/subscriptions/{subscription}/propose-speed", "upload_bps", "1k"),
    ("POST", "/subscriptions/{subscription}/propose-speed", "until", "2020-01-01T00:00:00Z"),
    ("PATCH", "/trust-rules", "max_days", 0),
    ("PATCH", "/trust-rules", "uses", 101),
    ("POST", "/tokens", "expires_at", "2020-01-01T00:00:00Z"),
    ("POST", "/tokens", "permissions", ["nonsense"]),
]


def test_what_a_command_refuses_reads_the_same(runtime: Runtime, clock: FakeClock, subtests: pytest.Subtests) -> None:
    client = Client(runtime)
    ids = some_of_each(client)
    in_place = {f"{name}_id": key for name, key in ids.items()} | {"document": "11.222.333/0001-81"}
    for method, path, field, value in RULES_OF_COMMANDS:
        with subtests.test(path=path, field=field, value=value):
            address = f"/api/v1{path.format(**ids)}"
            operation = next(item for item in OPERATIONS if item.method == method and item.matches(address))
            body = {**operation.body["examples"][0], **in_place, field: value}
            body = {name: item for name, item in body.items() if name in operation.body["properties"]}
            [entry] = problem(client.call(method, address, body), 422, "invalid-input")["errors"]
            assert entry["field"] == field
            assert entry["rule"]
            assert entry["example"] is not None


def some_of_each(client: Client) -> dict[str, int]:
    """Ids of one thing of each kind, by kind."""
    subscription = opened(client)
    method = made(client.post("/billing-methods", {"name": "Pix"}))
    client.post(f"/subscriptions/{subscription}/billing", {"billing_method_id": method, "due_day": 10})
    report = client.get(f"/subscriptions/{subscription}").content
    subnet = subnetted(client)
    return {
        "subscription": subscription,
        "subscriber": report["subscriber_id"],
        "plan": report["plan_id"],
        "billing_method": method,
        "invoice": invoiced(client, subscription),
        "subnet": subnet,
        "folder": client.get(f"/subnets/{subnet}").content["folder_id"],
    }
