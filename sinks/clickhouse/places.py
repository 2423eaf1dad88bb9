"""Districts, schools and departments of which anything was ever counted: so that a name that is mistyped is told from a quiet one."""

from clickhouse_driver import Client

NAMES = {
    "district": ("district",),
    "school": ("school", "responded_school", "resolved_school"),
    "department": ("department", "responded_department", "resolved_department"),
}
"""Columns of `cases` that name a place of each kind: where was asked, answered and settled."""


def is_known(client: Client, kind: str, name: str) -> bool:
    """Whether a case names the place."""
    places = " OR ".join(f"{column} = %(name)s" for column in NAMES[kind])
    return bool(client.execute(f"SELECT 1 FROM cases WHERE {places} LIMIT 1", {"name": name}))


def names(client: Client, kind: str) -> list[str]:
    """All that are known, by name."""
    columns = ", ".join(f"toString({column})" for column in NAMES[kind])
    query = f"SELECT DISTINCT arrayJoin([{columns}]) AS name FROM cases HAVING name != '' ORDER BY name"
    return [name for (name,) in client.execute(query)]
