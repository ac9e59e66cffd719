"""From a command sentence to its answer: which menu, which verb, and who may."""

from __future__ import annotations

from lab.routeros.reading import show
from lab.routeros.sentences import Answer, Asked
from lab.routeros.state import Author, RouterState
from lab.routeros.traps import no_such_command, no_such_menu
from lab.routeros.writing import WRITES

_SHOWING = frozenset({"print", "getall"})


def carry_out(state: RouterState, asked: Asked, author: Author, *, sensitive: bool = True) -> Answer:
    """Do a command; raises Refusal. Under the state's lock."""
    table = state.tables.get(asked.path)
    if table is None:
        raise no_such_menu(_strange_word(state, asked.path))
    if asked.verb not in table.spec.verbs:
        raise no_such_command()
    if asked.verb in _SHOWING:
        return show(state, table, asked, sensitive=sensitive)
    return WRITES[asked.verb](state, table, asked, author)


def _strange_word(state: RouterState, path: str) -> str:
    """The first word of a path that no menu begins with."""
    words = path.strip("/").split("/")
    for count in range(1, len(words) + 1):
        beginning = "/" + "/".join(words[:count])
        if not any(known == beginning or known.startswith(beginning + "/") for known in state.tables):
            return words[count - 1]
    return words[-1]
