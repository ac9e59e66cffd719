"""The holidays that the law names, by year and state: from the library `holidays`, looked up once each.

Optional days ("ponto facultativo") bind only public offices. Carnival and Corpus Christi count nevertheless: nearly
every town keeps them, many by a law of its own that no list has, and a day too many held cuts nobody off. A company
that works on them adds a working day. The other optional days (Ash Wednesday, Public Servant's Day, the eves in
December) do not count.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from functools import lru_cache
from types import MappingProxyType

from holidays import country_holidays

LANGUAGE = "pt_BR"
KEPT_OPTIONAL = frozenset({"Carnaval", "Corpus Christi"})
STATES = frozenset(
    "AC AL AM AP BA CE DF ES GO MA MG MS MT PA PB PE PI PR RJ RN RO RR RS SC SE SP TO".split()  # noqa: SIM905
)
_CITIES = {("SP", "sao paulo"): "São Paulo Capital"}
"""Cities whose own holidays the library knows."""


def law_holidays(year: int, region: str = "", city_key: str = "") -> Mapping[date, str]:
    """Names by day; national ones only where the region is no state. `city_key` as `place_key` makes it."""
    subdivision = region if region in STATES else None
    return _looked_up(year, _CITIES.get((region, city_key), subdivision))


@lru_cache(maxsize=512)
def _looked_up(year: int, subdivision: str | None) -> Mapping[date, str]:
    def found(category: str) -> dict[date, str]:
        book = country_holidays("BR", subdiv=subdivision, years=year, language=LANGUAGE, categories=(category,))
        return dict(sorted(book.items()))

    optional = {day: name for day, name in found("optional").items() if name in KEPT_OPTIONAL}
    return MappingProxyType({**optional, **found("public")})
