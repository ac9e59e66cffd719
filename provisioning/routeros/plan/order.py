"""The order of rows that count in their order: the garden's block on top of its chain, by the fewest moves. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from provisioning.routeros.rows import Add, DesiredRow, Move, ObservedRow


def block_steps(
    block: Sequence[DesiredRow], there: Sequence[ObservedRow], own: Mapping[str, ObservedRow], going: Collection[str]
) -> list[Add | Move]:
    """The steps that put `block` together on top of its chain, in its order.

    `there`: the rows of the menu in their order. `own`: the router's row of a key of the block. `going`: ids of rows
    that will be taken away. Each step names the row that it comes before, which is one that stays where it is.
    """
    if not block:
        return []
    ours = {row.id for row in own.values()}
    first = next((row for row in there if _is_foreign(row, block[0], ours, going)), None)
    staying = _staying([own[row.key] for row in block if row.key in own], first)
    steps: list[Add | Move] = []
    anchor = first.id if first else None
    anchors: list[str | None] = []
    for row in reversed(block):
        anchors.append(anchor)
        if row.key in own and own[row.key].id in staying:
            anchor = own[row.key].id
    for row, before in zip(block, reversed(anchors), strict=True):
        if row.key not in own:
            steps.append(Add(row, before))
        elif own[row.key].id not in staying:
            steps.append(Move(row, own[row.key].id, before))
    return steps


def _is_foreign(row: ObservedRow, ours: DesiredRow, own: Collection[str], going: Collection[str]) -> bool:
    same_chain = row.fields.get("chain") == ours.fields["chain"]
    return same_chain and not row.dynamic and row.id not in own and row.id not in going


def _staying(rows: Sequence[ObservedRow], first: ObservedRow | None) -> set[str]:
    """The most rows that already stand above everybody else's and in their order."""
    above = [row for row in rows if first is None or row.position < first.position]
    best: list[list[ObservedRow]] = []
    for row in above:
        longest = max((run for run in best if run[-1].position < row.position), key=len, default=[])
        best.append([*longest, row])
    return {row.id for row in max(best, key=len, default=[])}
