"""A routine's hours as people say them, in Portuguese and English. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product
from typing import Literal

from provisioning.routines.schedule import LAST_DAY, Schedule

Language = Literal["pt", "en"]
_MOST_TIMES = 6
"""More times of a day than this are told as hours and minutes, not one by one."""
_WEEKDAYS = {
    "pt": ("segunda", "terça", "quarta", "quinta", "sexta", "sábado", "domingo"),
    "en": ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"),
}
_MONTHS = {
    "pt": (
        "janeiro", "fevereiro", "março", "abril", "maio", "junho",
        "julho", "agosto", "setembro", "outubro", "novembro", "dezembro",
    ),
    "en": (
        "January", "February", "March", "April", "May", "June",
        "July", "August", "September", "October", "November", "December",
    ),
}  # fmt: skip
_AND: Mapping[Language, str] = {"pt": "e", "en": "and"}
_OR: Mapping[Language, str] = {"pt": "ou", "en": "or"}
_TO = {"pt": "a", "en": "to"}


def in_words(schedule: Schedule, language: Language) -> str:
    """For example "segunda a sexta às 06:00", "day 10, if it is a Monday, at 06:00"."""
    parts = [_day_words(schedule, language)]
    if schedule.months:
        named = _joined([_MONTHS[language][month - 1] for month in schedule.months], language)
        parts.append(f"{'em' if language == 'pt' else 'in'} {named}")
    return f"{' '.join(parts)}{_time_words(schedule, language)}"


def _day_words(schedule: Schedule, language: Language) -> str:
    if not schedule.days:
        weekdays = _weekday_words(schedule.weekdays, language, _AND)
        return weekdays or {"pt": "todo dia", "en": "every day"}[language]
    days = _numbers_of_days(schedule.days, language)
    if not schedule.weekdays:
        return days
    weekdays = _weekday_words(schedule.weekdays, language, _OR)
    return f"{days}, {'se for' if language == 'pt' else 'if it is'} {weekdays},"


def _numbers_of_days(days: Sequence[int], language: Language) -> str:
    numbers = [str(day) for day in days if day != LAST_DAY]
    told = [f"{_plural('dia' if language == 'pt' else 'day', numbers)} {_joined(numbers, language)}"] if numbers else []
    if LAST_DAY in days:
        told.append({"pt": "último dia do mês", "en": "last day of the month"}[language])
    return _joined(told, language)


def _weekday_words(weekdays: Sequence[int], language: Language, last: Mapping[Language, str]) -> str:
    names = [_WEEKDAYS[language][day - 1] for day in weekdays]
    in_a_row = len(names) > 2 and weekdays[-1] - weekdays[0] == len(names) - 1
    return f"{names[0]} {_TO[language]} {names[-1]}" if in_a_row else _joined(names, language, last)


def _time_words(schedule: Schedule, language: Language) -> str:
    hours, minutes = schedule.hours, schedule.minutes
    if hours and minutes and len(hours) * len(minutes) <= _MOST_TIMES:
        times = [f"{hour:02d}:{minute:02d}" for hour, minute in product(hours, minutes)]
        article = ("à" if hours[0] == 1 else "às") if language == "pt" else "at"
        return f" {article} {_joined(times, language)}"
    return f", {_every_words(hours, minutes, language)}"


def _every_words(hours: Sequence[int], minutes: Sequence[int], language: Language) -> str:
    among = _joined([f"{hour}h" for hour in hours], language)
    if not minutes:
        every = {"pt": "a cada minuto", "en": "every minute"}[language]
        return f"{every} {'das' if language == 'pt' else 'of'} {among}" if among else every
    at = _joined([f"{minute:02d}" for minute in minutes], language)
    if language == "pt":
        return f"{f'às {among}' if among else 'a cada hora'}, {_plural('minuto', minutes)} {at}"
    return f"{f'at {among}' if among else 'every hour'}, {_plural('minute', minutes)} {at}"


def _plural(word: str, things: Sequence[object]) -> str:
    return word if len(things) == 1 else f"{word}s"


def _joined(words: Sequence[str], language: Language, last: Mapping[Language, str] | None = None) -> str:
    return f" {(last or _AND)[language]} ".join(part for part in (", ".join(words[:-1]), *words[-1:]) if part)
