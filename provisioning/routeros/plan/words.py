"""A plan in words, in English and Brazilian Portuguese, and as JSON. Pure. What is secret is shown as •••."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from provisioning.routeros.mark import kept_of, key_of
from provisioning.routeros.menus import MENUS
from provisioning.routeros.plan.problem_words import problem_words
from provisioning.routeros.rows import SENSITIVE, Add, Change, DesiredRow, EndSession, Move, Plan, Remove, Step

MASK = "•••"
_WORDS: Mapping[str, Mapping[str, str]] = {
    "en": {
        "nothing": "Nothing to do: the router is as it should be.",
        "to-change": "{add} to add, {change} to change, {remove} to remove, {move} to move, {end} sessions to end.",
        "held": "Held by the guard: {held} removals that nobody asked for. They wait for an approval.",
        "problems": "Problems: {problems}.",
        "subscription": "subscription {number}",
        "own": "the router's own",
        "orphan": "nobody asked for it",
        "before": "in front of {before}",
        "last": "to the end",
        "end": "end the session of {login}",
        "not-served": "it is not served here any more",
        "speed": "its queue shows another speed",
        "lists": "its address is not in the right address lists",
        "was": "{name}: {was} → {now}",
        "unset": "none",
        "marked": "mark",
    },
    "pt": {
        "nothing": "Nada a fazer: o roteador está como deve.",
        "to-change": "{add} a incluir, {change} a alterar, {remove} a remover, {move} a mover, {end} sessões a cair.",
        "held": "Retidas pela guarda: {held} remoções que ninguém pediu. Aguardam aprovação.",
        "problems": "Problemas: {problems}.",
        "subscription": "assinatura {number}",
        "own": "do próprio roteador",
        "orphan": "ninguém pediu",
        "before": "para antes de {before}",
        "last": "para o fim",
        "end": "derrubar a sessão de {login}",
        "not-served": "não é mais atendido aqui",
        "speed": "a fila mostra outra velocidade",
        "lists": "o endereço não está nas listas certas",
        "was": "{name}: {was} → {now}",
        "unset": "nada",
        "marked": "marca",
    },
}
LANGUAGES = tuple(_WORDS)
_KINDS: Mapping[type[Step], str] = {Add: "add", Change: "change", Remove: "remove", Move: "move", EndSession: "end"}
_SIGNS = {"add": "+", "change": "~", "remove": "-", "move": ">", "end": "x"}


def plan_counts(plan: Plan) -> dict[str, int]:
    """How many steps of each kind: add, change, remove, move, end; and how many are held, and problems."""
    counts = dict.fromkeys(_SIGNS, 0)
    for step in plan.steps:
        counts[_KINDS[type(step)]] += 1
    return {**counts, "held": len(plan.held), "problems": len(plan.problems)}


def plan_lines(plan: Plan, language: str = "en") -> list[str]:
    """A line for each step in its order, for each held removal and each problem, and the sums. `language`: en or pt."""
    words = _WORDS["pt" if language.lower().startswith("pt") else "en"]
    counts = plan_counts(plan)
    lines = [step_line(step, language) for step in plan.steps]
    lines.append(words["to-change" if plan else "nothing"].format(**counts))
    if plan.held:
        lines += [words["held"].format(**counts), *(step_line(step, language) for step in plan.held)]
    if plan.problems:
        lines.append(words["problems"].format(**counts))
        lines += [f"! {_whose(one.subscription_id, words)}: {problem_words(one, language)}" for one in plan.problems]
    return lines


def step_line(step: Step, language: str = "en") -> str:
    """One step in words, its sign first: + added, ~ changed, - removed, > moved, x session ended."""
    words = _WORDS["pt" if language.lower().startswith("pt") else "en"]
    sign = _SIGNS[_KINDS[type(step)]]
    if isinstance(step, EndSession):
        whose = _whose(step.subscription_id, words)
        return f"{sign} {words['end'].format(login=step.login)} ({whose}): {words.get(step.reason, step.reason)}"
    number = step.subscription_id if isinstance(step, Remove) else step.row.subscription_id
    what = f"{sign} {step.row.menu} {_name(step)} ({_whose(number, words)})"
    return f"{what}: {told}" if (told := ", ".join(_told(step, words))) else what


def plan_json(plan: Plan) -> dict[str, Any]:
    """`counts`, `steps` (each with its `stage`, from 1), `held` and `problems`; secrets masked."""
    staged = [{"stage": number, **step_json(step)} for number, stage in enumerate(plan.stages, 1) for step in stage]
    return {
        "counts": plan_counts(plan),
        "steps": staged,
        "held": [step_json(step) for step in plan.held],
        "problems": [{"subscription_id": one.subscription_id, "words": one.words} for one in plan.problems],
    }


def step_json(step: Step) -> dict[str, Any]:
    """One step as JSON, secrets masked."""
    kind = _KINDS[type(step)]
    if isinstance(step, EndSession):
        own = {"login": step.login, "reason": step.reason, "id": step.id}
        return {"do": kind, "menu": "/ppp/active", "subscription_id": step.subscription_id, **own}
    number = step.subscription_id if isinstance(step, Remove) else step.row.subscription_id
    common = {
        "do": kind,
        "menu": str(step.row.menu),
        "key": step.row.key,
        "name": _name(step),
        "subscription_id": number,
    }
    match step:
        case Add():
            return {**common, "fields": masked(_shown(step.row)), "before": step.before}
        case Change():
            return {**common, "id": step.id, "fields": masked(step.fields), "was": masked(step.was)}
        case Remove():
            return {**common, "id": step.row.id, "orphan": step.orphan}
        case _:
            return {**common, "id": step.id, "before": step.before}


def masked(fields: Mapping[str, str]) -> dict[str, str]:
    """The fields with what is secret as •••."""
    return {name: MASK if name in SENSITIVE else value for name, value in fields.items()}


def _told(step: Add | Change | Remove | Move, words: Mapping[str, str]) -> Iterator[str]:
    match step:
        case Add():
            yield from (f"{name}={value}" for name, value in masked(_shown(step.row)).items() if name != "name")
        case Change():
            yield from (_change(name, step, words) for name in step.fields)
        case Remove():
            yield from [words["orphan"]] if step.orphan else []
        case Move():
            yield words["before"].format(before=step.before) if step.before else words["last"]


def _change(name: str, step: Change, words: Mapping[str, str]) -> str:
    if name in SENSITIVE:
        return f"{name}: {MASK}"
    was, now = step.was.get(name, ""), step.fields[name]
    if name == "comment":
        return words["was"].format(name=words["marked"], was=key_of(was) or kept_of(was), now=key_of(now))
    return words["was"].format(name=name, was=was or words["unset"], now=now or words["unset"])


def _shown(row: DesiredRow) -> dict[str, str]:
    """What says something: no empty field, and no default."""
    defaults = {column.name: column.default for column in MENUS[row.menu].columns}
    return {name: value for name, value in row.fields.items() if value not in ("", defaults.get(name))}


def _name(step: Add | Change | Remove | Move) -> str:
    fields = step.row.fields
    if "list" in fields:
        return f"{fields['list']} {fields.get('address', '')}"
    if "action" in fields:
        return f"{fields.get('chain', '')} {fields['action']} [{step.row.key}]"
    named = (fields.get(name) for name in ("name", "address", "mac-address", "dst-address"))
    return next((name for name in named if name), step.row.key or "")


def _whose(number: int | None, words: Mapping[str, str]) -> str:
    return words["own"] if number is None else words["subscription"].format(number=number)
