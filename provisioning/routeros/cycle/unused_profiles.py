"""PPP profiles of ours that a turn for a few subscriptions leaves behind: gone at once when nobody uses them any more.

Such a turn does not see whose secrets else are on a profile, so the router is asked for their number; it may be
thousands. What is missed here is found by the next read of all of it.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from provisioning.routeros.commands import commands
from provisioning.routeros.connection import Connection, Read, ReadRefused, Trapped
from provisioning.routeros.cycle.apply_report import ApplyReport, profiles_left
from provisioning.routeros.mark import PROFILE
from provisioning.routeros.menus import observed_row, proplist
from provisioning.routeros.rows import Desired, Menu, ObservedRow, Remove


def left_behind(report: ApplyReport, desired: Desired) -> list[str]:
    """The names of profiles that secrets were taken off, without those that are wanted in this very turn."""
    wanted = {row.fields["name"] for row in desired.rows if row.menu is Menu.PPP_PROFILE}
    return sorted(profiles_left(report) - wanted)


def remove_unused(connection: Connection, names: Sequence[str]) -> list[Remove]:
    """Remove those of these profiles that bear our mark and that no secret uses; gives what went. RouterError.

    One round trip where all are in use. What the router refuses to tell or to do is left to the next check.
    """
    numbers = connection.count([Read(str(Menu.PPP_SECRET), query=(f"?profile={name}",)) for name in names])
    unused = {name for name, number in zip(names, numbers, strict=True) if number == 0}
    going = [Remove(row) for row in _ours(connection, unused)] if unused else []
    sent = [one for step in going for one in commands([step], connection.version)]
    answers = connection.write([one.command for one in sent])
    return [step for step, answer in zip(going, answers, strict=True) if not isinstance(answer, Trapped)]


def _ours(connection: Connection, names: Collection[str]) -> list[ObservedRow]:
    """The rows of these names that bear the mark of that very name."""
    menu, version = Menu.PPP_PROFILE, connection.version
    asked = [Read(str(menu), proplist(menu, version), (f"?name={name}",)) for name in sorted(names)]
    answers = [answer for answer in connection.read_many(asked) if not isinstance(answer, ReadRefused)]
    rows = [observed_row(menu, raw, 0, version) for answer in answers for raw in answer]
    return [row for row in rows if row.key == PROFILE + row.fields["name"]]
