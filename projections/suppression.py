"""Which cells of a public table are hidden, so that no number of fewer than ten people can be read or computed.

A table has a total and its parts: a month's schools, its departments, its weeks. Small parts are hidden, and with them
others, until nobody can tell by subtraction which of the hidden ones is small. Who is hidden beside them is drawn by a lot that
knows no number: the smallest or the largest would tell an attacker who knows this rule where the small one lies between
(a minimality attack: Wong, Fu, Wang and Pei, VLDB 2007). This is the reference; readers get the same from `public_indicators`.
"""

from collections.abc import Mapping, Sequence
from datetime import date
from hashlib import sha256
from typing import Final

FEWEST: Final = 10
"""People of a number that may be shown."""
MARGINS: Final = ((20, 20), (40, 10), (100, 5))
"""(people, percents): how far a share of fewer people stays away from none and all."""
LEAST_MARGIN: Final = 2


def hidden_cells(people: Mapping[str, int], rest: int, drawn: Sequence[str], fewest: int = FEWEST) -> frozenset[str]:
    """The parts to hide of a table, given the distinct people of each, zeros included.

    `rest` are the people of the total who are in no part, at least one where anything is; their number is never shown, and
    where there are any they are one more hidden part. `drawn` has every part in the order of the lot. Beside small parts
    others are hidden in this order, until one of the hidden has `fewest` people and they have twice as many together. Then
    each small part may be any number below `fewest`, for all that the shown ones tell (docs/privacy.md).
    """
    small = {part for part, n in people.items() if n < fewest}
    if not small and not 0 < rest < fewest:
        return frozenset()
    hidden, together, covered = set(small), rest + sum(people[part] for part in small), rest >= fewest
    for part in drawn:
        if covered and together >= 2 * fewest:
            break
        if part not in small:
            hidden.add(part)
            together, covered = together + people[part], True
    return frozenset(hidden)


def lot(district: str, month: date, cell: str) -> str:
    """What a part is drawn by: another order each month, so that not the same school is always missing."""
    return sha256(f"{district}\n{month}\n{cell}".encode()).hexdigest()


def share(met: int, n: int, people: int) -> float:
    """`met` of `n` in whole percents, half up, as 0..1, and never so near to 0 or 1 that it tells of everybody.

    Top and bottom coding by the size of the group, as NCES 2011-603 describes it.
    """
    margin = next((percents for more, percents in MARGINS if people < more), LEAST_MARGIN)
    return min(100 - margin, max(margin, (200 * met + n) // (2 * n))) / 100
