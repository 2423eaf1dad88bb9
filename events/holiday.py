"""Public holidays by country and subdivision, from 2000 to 2040, as the tables of PyPI `holidays` have them.

The tables are pure: no clock and no network. Names are English whatever the machine speaks.
"""

from collections.abc import Mapping
from datetime import date
from functools import lru_cache
from types import MappingProxyType

from events.zone import FIRST, LAST

Names = tuple[str, ...]


@lru_cache(maxsize=64)
def holidays_of(country: str, subdivision: str | None) -> Mapping[date, Names]:
    """Names of the holidays of each day that is one. ValueError names what is not known: the country, or its subdivision."""
    from holidays import country_holidays  # noqa: PLC0415 - 0.2 s, and most commands need none

    known = subdivisions(country)
    if subdivision is not None and subdivision not in known:
        raise ValueError(f"{subdivision} is no subdivision of {country}")
    table = country_holidays(country, subdiv=subdivision, years=range(FIRST.year, LAST.year + 1), language="en_US")
    return MappingProxyType({day: tuple(table.get_list(day)) for day in sorted(table) if FIRST <= day <= LAST})


def countries() -> list[str]:
    """Codes of the countries whose holidays are known: ISO 3166, two letters."""
    from holidays import list_supported_countries  # noqa: PLC0415 - as above

    return sorted(list_supported_countries())


def subdivisions(country: str) -> list[str]:
    """Codes of the parts of a country whose holidays are known. ValueError when the country is not."""
    from holidays import list_supported_countries  # noqa: PLC0415 - as above

    known = list_supported_countries()
    if country not in known:
        raise ValueError(f"{country} is no country whose holidays are known")
    return sorted(known[country])


def names(country: str, subdivision: str | None) -> list[str]:
    """Names of all holidays there."""
    return sorted({name for names_of_day in holidays_of(country, subdivision).values() for name in names_of_day})
