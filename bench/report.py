"""`docs/benchmarks.md` and what the README quotes from it, out of what the steps found. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from bench.results import Measured, Row, Step

OURS = "Catraca"
Modes = Mapping[str, Mapping[str, Measured]]
_NOTICEABLE = 1.03
"""A difference of less than this is none."""
_README = re.compile(r"(<!-- benchmarks: begin[^\n]*-->\n).*?(<!-- benchmarks: end -->)", re.DOTALL)

_HEAD = """# Benchmarks

Written by `python -m bench`; every figure is from one run on one machine, and each step can be repeated alone.

{machine}. Run on {day}{commit}.

## Against FreeRADIUS and pyrad

![Answers per second and CPU per request, by mode and server](benchmarks.svg)

The server has one core, the load generator the other. Servers are asked by turns, {authentication};
figures are medians of the rounds, ratios are taken within a round. CPU is that of all processes of a server, PostgreSQL
included where it has one, and the kernel's share, while it is saturated with 64 requests under way (Interim: 256).
Six attributes in an Access-Accept. MA: Access-Requests carry Message-Authenticator (CHAP and MS-CHAPv2 do too). Every
reply is checked: authenticator, Message-Authenticator, and the server's proof in MS-CHAP2-Success.

FreeRADIUS + PostgreSQL is Debian's default site with sql switched on (accounting: a detail file and sql); lean, and
with a users file, it does that and nothing else. The Interim rows count until every record is in PostgreSQL, which both
servers share ({accounting}); what clients see acknowledged meanwhile stands beside it. FreeRADIUS on SQLite is left
out: under concurrent writes it locks its database and rejects who should be accepted.

"""
_MEANING = """
Most of the ratio to SQL comes from answering out of memory: the price is freshness, which is measured below (from
commit to visible). In accounting it comes from group commit: one `fdatasync` for a batch before the answers, and one
transaction for a batch behind them. At low rates wake-ups dominate; compare CPU at saturation.
"""
_ROBUST = """
## What holds under fire, and the rest

| what | measured | wanted | command |
|---|---|---|---|
"""


def page(steps: Mapping[str, Step], machine: str, day: str, commit: str) -> str:
    """The whole page; a step that is not there is left out."""
    modes = all_modes(steps)
    notes = {name: step.note for name, step in steps.items()}
    head = _HEAD.format(
        machine=machine, day=day, commit=f", commit {commit}" if commit else "",
        authentication=notes.get("authentication") or "–", accounting=notes.get("accounting") or "–",
    )  # fmt: skip
    text = head + comparison_table(modes) + f"\n**Where it loses.** {where_it_loses(modes)}" + _MEANING
    rows = [row for step in steps.values() for row in step.rows]
    return text + (_ROBUST + rows_table(rows) if rows else "")


def all_modes(steps: Mapping[str, Step]) -> dict[str, dict[str, Measured]]:
    return {mode: found for step in steps.values() for mode, found in step.modes.items()}


def comparison_table(modes: Modes) -> str:
    lines = []
    for mode, found in modes.items():
        accounting = any(each.acknowledged for each in found.values())
        counted = "records/s (acknowledged/s)" if accounting else "answers/s"
        lines += [
            f"### {mode}\n",
            f"| server | {counted} | CPU µs | p99 ms | p50 / p99 ms at 2,000/s | p50 / p99 ms at half | "
            "Catraca: rate | Catraca: CPU |",
            "|---|---|---|---|---|---|---|---|",
            *(_server_row(name, each) for name, each in found.items()),
            "",
        ]
    return "\n".join(lines)


def _server_row(name: str, each: Measured) -> str:
    rate = f"{each.rate:,.0f}" + (f" ({each.acknowledged:,.0f})" if each.acknowledged else "")
    more = ("–", "–") if name == OURS else (f"{each.faster:.1f} ×", f"1/{each.cheaper:.1f}")
    steady, half = _latency(each.p50_steady, each.p99_steady), _latency(each.p50_half, each.p99_half)
    return (
        f"| {name} | {rate} | {each.cpu:.1f} | {each.p99_saturated:.2f} | {steady} | {half} | {more[0]} | {more[1]} |"
    )


def _latency(p50: float | None, p99: float | None) -> str:
    return "cannot hold it" if p50 is None or p99 is None else f"{p50:.2f} / {p99:.2f}"


def where_it_loses(modes: Modes) -> str:
    """A list that names every mode, peer and figure in which Catraca is behind."""
    behind = [
        f"- {mode}, {name}: {', '.join(lost)}."
        for mode, found in modes.items()
        for name, peer in found.items()
        if OURS in found and name != OURS and (lost := _losses(found[OURS], peer))
    ]
    floor = "A C program that does nothing but check and sign needs 3 µs an answer; nothing here comes near it."
    if not behind:
        return f"To none of these peers, in none of these figures. {floor}\n"
    return f"{floor} Behind a peer in this table:\n\n" + "\n".join(behind) + "\n"


def _losses(ours: Measured, peer: Measured) -> list[str]:
    lost = []
    if peer.faster * _NOTICEABLE < 1:
        lost.append(f"it answers {1 / peer.faster:.1f} × as many")
    if peer.cheaper * _NOTICEABLE < 1:
        lost.append(f"CPU {ours.cpu:.0f} µs against {peer.cpu:.0f} µs")
    pairs = [("p50 at 2,000/s", ours.p50_steady, peer.p50_steady), ("p99 at 2,000/s", ours.p99_steady, peer.p99_steady)]
    if peer.rate * _NOTICEABLE >= ours.rate:  # else its half and its window are less work than ours
        pairs += [
            ("p50 at half of saturation", ours.p50_half, peer.p50_half),
            ("p99 at half of saturation", ours.p99_half, peer.p99_half),
            ("p99 at saturation", ours.p99_saturated, peer.p99_saturated),
        ]
    for name, mine, its in pairs:
        if its is not None and (mine is None or mine > its * _NOTICEABLE):
            lost.append(f"{name} {'not held' if mine is None else f'{mine:.2f} ms'} against {its:.2f} ms")
    return lost


def rows_table(rows: Iterable[Row]) -> str:
    return "".join(f"| {row.what} | {row.figure} | {row.asked or '–'} | `{row.command}` |\n" for row in rows)


def quoted(readme: str, steps: Mapping[str, Step]) -> str:
    """The README with its table of figures between the marks made anew; as it is when it has no marks."""
    modes = all_modes(steps)
    lines = [
        "| mode | server | answers/s | CPU µs each | p99 ms at 2,000/s | Catraca answers more by |",
        "|---|---|---|---|---|---|",
    ]
    for mode in ("PAP+MA", "Interim"):
        for name, each in modes.get(mode, {}).items():
            p99 = "cannot hold it" if each.p99_steady is None else f"{each.p99_steady:.2f}"
            ratio = "–" if name == OURS else f"{each.faster:.1f} ×"
            lines.append(f"| {mode} | {name} | {each.rate:,.0f} | {each.cpu:.1f} | {p99} | {ratio} |")
    rows = [row for step in steps.values() for row in step.rows]
    if rows:
        lines += ["", "| what | measured |", "|---|---|", *(f"| {row.what} | {row.figure} |" for row in rows)]
    table = "\n".join(lines) + "\n"
    return _README.sub(lambda found: found[1] + table + found[2], readme)
