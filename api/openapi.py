"""The OpenAPI document, finished: examples of whole requests and answers, the problems, the token scheme.

FastAPI writes the schemas; the examples of objects are put together here from the examples of their fields, so that
no example is written twice. The same document is what the command line is generated from and where the errors
take their examples.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]
METHODS = ("get", "post", "put", "patch", "delete")
FILES = frozenset({"application/zip", "application/pdf", "text/csv"})

PROBLEM_SCHEMA: Json = {
    "type": "object",
    "title": "Problem",
    "description": "RFC 9457: what went wrong",
    "required": ["type", "title", "status", "detail", "request_id"],
    "properties": {
        "type": {"type": "string", "format": "uri-reference", "description": "Which kind of problem; GET explains it"},
        "title": {"type": "string", "description": "The kind in a few words"},
        "status": {"type": "integer", "description": "The HTTP status"},
        "detail": {"type": "string", "description": "What went wrong this time"},
        "request_id": {"type": "string", "description": "Under which this request stands in logs and audit trail"},
        "errors": {
            "type": "array",
            "description": "One entry for each field that breaks a rule",
            "items": {
                "type": "object",
                "properties": {
                    "field": {"type": "string", "description": "Where"},
                    "rule": {"type": "string", "description": "Which rule"},
                    "example": {"description": "A value that would pass"},
                },
            },
        },
    },
    "examples": [
        {
            "type": "/problems/invalid-input",
            "title": "A field is not valid",
            "status": 422,
            "detail": "due_on must be a date, YYYY-MM-DD",
            "request_id": "4b1d3f0c7a6e4f6e9a1c2d3e4f5a6b7c",
            "errors": [{"field": "due_on", "rule": "must be a date, YYYY-MM-DD", "example": "2026-04-10"}],
        }
    ],
}


@dataclass(frozen=True)
class Operation:
    """One verb of the API as the document has it: `group.verb`, where it is, what it takes, what it answers."""

    operation_id: str
    method: str
    path: str
    content: Json
    schemas: Mapping[str, Any]

    def matches(self, path: str) -> bool:
        """Whether `path` is an address of this verb."""
        return re.fullmatch(re.sub(r"\\{[^}]+\\}", "[^/]+", re.escape(self.path)), path) is not None

    @property
    def body(self) -> Json:
        """The schema of the body, {} when it takes none."""
        content = self.content.get("requestBody", {}).get("content", {})
        return resolve(content.get("application/json", {}).get("schema", {}), self.schemas)

    @property
    def signed(self) -> bool:
        """Whether it asks for a signature instead of a token."""
        return self.path.startswith("/api/") and self.content.get("security") == []

    @property
    def parameters(self) -> list[Json]:
        return list(self.content.get("parameters", []))

    def parameter(self, name: str) -> Json:
        """The schema of a path, query or header parameter, with its description."""
        for item in self.parameters:
            if item["name"].lower() == name.lower():
                return {"description": item.get("description", ""), **item["schema"]}
        return {}

    @property
    def answers_file(self) -> bool:
        """Whether success answers a file instead of JSON."""
        done = [found for status, found in self.content["responses"].items() if str(status).startswith("2")]
        return any(FILES.intersection(found.get("content", {})) for found in done)

    @property
    def answer(self) -> Json:
        """The schema of the answer of success."""
        for status, response in self.content["responses"].items():
            if str(status).startswith("2"):
                content = response.get("content", {}).get("application/json", {})
                return resolve(content.get("schema", {}), self.schemas)
        return {}


def operations(document: Json) -> Iterator[Operation]:
    """Every verb of the document."""
    schemas = document.get("components", {}).get("schemas", {})
    for path, methods in document["paths"].items():
        for method, content in methods.items():
            if method in METHODS:
                yield Operation(content["operationId"], method.upper(), path, content, schemas)


def resolve(schema: Json, schemas: Mapping[str, Any]) -> Json:
    """Follow `$ref`, and take null out of unions (it becomes `nullable`); what stands beside them is kept."""
    if "$ref" in schema:
        beside = {name: value for name, value in schema.items() if name != "$ref"}
        return resolve({**schemas[schema["$ref"].rsplit("/", 1)[1]], **beside}, schemas)
    members = schema.get("anyOf", [])
    others = [item for item in members if item.get("type") != "null"]
    if len(others) == len(members):
        return schema
    beside = {name: value for name, value in schema.items() if name != "anyOf"}
    kept = resolve(others[0], schemas) if len(others) == 1 else {"anyOf": others}
    return {**kept, **beside, "nullable": True}


def finish(document: Json) -> Json:
    """Complete the document that FastAPI wrote."""
    components = document.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    schemas["Problem"] = PROBLEM_SCHEMA
    components["securitySchemes"] = {
        "token": {"type": "http", "scheme": "bearer", "description": "A token of `catraca token create`: `cat_…`"}
    }
    document["security"] = [{"token": []}]
    for schema in schemas.values():
        if "examples" not in schema and schema.get("type") == "object":
            schema["examples"] = [_object_example(schema, schemas)]
    for operation in operations(document):
        _finish_operation(operation)
    return document


def _finish_operation(operation: Operation) -> None:
    responses = operation.content["responses"]
    responses.pop("422", None)
    secured = operation.path.startswith("/api/") and not operation.signed
    if not secured:
        operation.content["security"] = []
    responses["default"] = {
        "description": "A problem: " + ", ".join(_problems(operation) if secured else ["503"]),
        "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
    if operation.method == "POST" and secured and not operation.answers_file:
        operation.content.setdefault("parameters", []).append(_IDEMPOTENCY_KEY)


_IDEMPOTENCY_KEY: Json = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "The same key and request within 48 hours is carried out once; the answer is given again",
    "schema": {"type": "string", "maxLength": 200, "examples": ["3f0c9f9e-2f4c-4a57-9d0c-6c3a5d0f7b11"]},
}


def _problems(operation: Operation) -> list[str]:
    known = ["401", "403", "503"]
    if operation.method != "GET":
        known += ["408", "409", "413", "415"]
    if operation.parameters or operation.body:
        known.append("422")
    if "{" in operation.path:
        known.append("404")
    return sorted(known)


def _object_example(schema: Json, schemas: Mapping[str, Any]) -> Json:
    return {name: _example(item, schemas) for name, item in schema.get("properties", {}).items()}


def _example(schema: Json, schemas: Mapping[str, Any]) -> Any:
    if schema.get("examples"):
        return schema["examples"][0]
    present = resolve(schema, schemas)
    if present.get("examples"):
        return present["examples"][0]
    if present.get("type") == "object":
        return _object_example(present, schemas)
    if present.get("type") == "array":
        return [_example(present.get("items", {}), schemas)]
    return present.get("default")
