"""Districts, schools and departments of which anything was ever counted: so that a name that is mistyped is told from a quiet one."""

from collections.abc import Mapping

from clickhouse_driver import Client

NAMES = {
    "district": ("district",),
    "school": ("school", "responded_school", "resolved_school"),
    "department": ("department", "responded_department", "resolved_department"),
}
"""Columns of `cases` that name a place of each kind: where was asked, answered and settled."""


def is_known(client: Client, kind: str, name: str, within: Mapping[str, str]) -> bool:
    """Whether a case names the place; `within` narrows it to a district."""
    places = " OR ".join(f"{column} = %(name)s" for column in NAMES[kind])
    return bool(client.execute(f"SELECT 1 FROM cases WHERE {_narrowed(within)} ({places}) LIMIT 1", {**within, "name": name}))


def names(client: Client, kind: str, within: Mapping[str, str]) -> list[str]:
    """All that are known, by name."""
    columns = ", ".join(f"toString({column})" for column in NAMES[kind])
    query = f"SELECT DISTINCT arrayJoin([{columns}]) AS name FROM cases WHERE {_narrowed(within)} 1 HAVING name != '' ORDER BY name"
    return [name for (name,) in client.execute(query, dict(within))]


def _narrowed(within: Mapping[str, str]) -> str:
    return "".join(f"{kind} = %({kind})s AND " for kind in within)
