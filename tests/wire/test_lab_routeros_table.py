"""The emulated router's rows against a plain list: order, queries, what is printed, and writes that are taken back."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from lab.routeros.commands import carry_out
from lab.routeros.sentences import Asked
from lab.routeros.state import Author, RouterState
from lab.routeros.table import Table
from lab.routeros.traps import Refusal
from lab.routeros.words import encode_word

PATH = "/ip/firewall/filter"
COMMENTS = [b"a", b"b", b"c"]
IDS = st.integers(1, 8).map(lambda number: b"*%X" % number)
SAID = st.sampled_from(COMMENTS)
WRITES = st.one_of(
    st.tuples(st.just("add"), st.fixed_dictionaries({"comment": SAID}, optional={"place-before": IDS})),
    st.tuples(st.just("set"), st.fixed_dictionaries({".id": IDS, "comment": SAID | st.just(b"")})),
    st.tuples(st.just("remove"), st.fixed_dictionaries({".id": IDS})),
    st.tuples(st.just("move"), st.fixed_dictionaries({"numbers": IDS}, optional={"destination": IDS})),
)
Model = list[tuple[bytes, bytes | None]]


def write(state: RouterState, verb: str, words: dict[str, bytes]) -> bool:
    """Whether it was done."""
    given = {**words, "chain": b"forward"} if verb == "add" else words
    try:
        carry_out(state, Asked(PATH, verb, given), Author("admin"))
    except Refusal:
        return False
    return True


def model_write(model: Model, verb: str, words: dict[str, bytes], new_id: bytes) -> Model:
    """The same on (id, comment) pairs."""
    ids = [row_id for row_id, _ in model]
    if verb == "add":
        at = ids.index(words["place-before"]) if "place-before" in words else len(model)
        return [*model[:at], (new_id, words["comment"]), *model[at:]]
    at = ids.index(words.get(".id", words.get("numbers", b"")))
    rest = model[:at] + model[at + 1 :]
    if verb == "remove":
        return rest
    if verb == "set":
        return [*model[:at], (ids[at], words["comment"] or None), *model[at + 1 :]]
    before = [row_id for row_id, _ in rest]
    to = before.index(words["destination"]) if words.get("destination") in before else len(rest)
    return [*rest[:to], model[at], *rest[to:]]


def shown(table: Table) -> Model:
    return [(row.id, row.fields.get("comment")) for row in table.rows.values()]


def asked_for(state: RouterState, *query: bytes) -> list[bytes]:
    """What `print` gives for the rows that the query chooses: `.id` and comment."""
    return list(
        carry_out(state, Asked(PATH, "print", {".proplist": b".id,comment"}, list(query)), Author("admin")).rows
    )


def _printed(row_id: bytes, comment: bytes) -> bytes:
    return encode_word(b"=.id=" + row_id) + encode_word(b"=comment=" + comment)


@settings(max_examples=60, deadline=None)
@given(st.lists(WRITES, max_size=20))
def test_rows_are_those_of_a_plain_list(writes: list[tuple[str, dict[str, Any]]]) -> None:
    state = RouterState((7, 20, 4))
    table = state.tables[PATH]
    model: Model = []
    count = 0
    for verb, words in writes:
        if write(state, verb, words):
            count += verb == "add"
            model = model_write(model, verb, words, b"*%X" % count)
        assert shown(table) == model
        for comment in COMMENTS:
            expected = [_printed(row_id, comment) for row_id, said in model if said == comment]
            assert asked_for(state, b"?comment=" + comment) == expected
        assert len(asked_for(state, b"?-comment")) == sum(said is None for _, said in model)


@settings(max_examples=60, deadline=None)
@given(st.lists(WRITES, max_size=12), st.lists(WRITES, max_size=8))
def test_writes_taken_back_leave_what_was_there(kept: list[Any], lost: list[Any]) -> None:
    state = RouterState((7, 20, 4))
    for verb, words in kept:
        write(state, verb, words)
    before = shown(state.tables[PATH]), asked_for(state), asked_for(state, b"?comment=a")
    done = sum(write(state, verb, words) for verb, words in lost)
    state.forget_writes(done)
    assert (shown(state.tables[PATH]), asked_for(state), asked_for(state, b"?comment=a")) == before
