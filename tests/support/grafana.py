"""What Grafana and its ClickHouse plugin make of a query before ClickHouse sees it.

After the plugin's 4.20 sources, in its order: `$__conditionalAll` (CHDatasource.ts), variables (Grafana's own formats),
macros (pkg/macros). Only what the dashboards use; anything else is left as it is, and ClickHouse refuses it.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

FOLDER = Path(__file__).parents[2] / "deploy/grafana/dashboards"
ALL = "$__all"


@dataclass(frozen=True)
class Chosen:
    """A variable's state: one value, or All of the options."""

    value: str
    options: Sequence[str] = ()

    def formatted(self, how: str) -> str:
        values = list(self.options) if self.value == ALL else [self.value]
        whole = values[0] if self.value != ALL else "{" + ",".join(values) + "}"
        match how:
            case "percentencode":  # encodeURIComponent, and !'()* too
                return quote(whole, safe="~")
            case "singlequote":
                return ",".join("'" + value.replace("'", "\\'") + "'" for value in values)
            case "sqlstring":
                return ",".join("'" + value.replace("'", "''") + "'" for value in values)
            case "":  # the plugin's own: nothing is escaped
                return "'" + "','".join(values) + "'" if self.value == ALL else self.value
        raise ValueError(how)


@dataclass(frozen=True)
class Look:
    """What somebody looks at: variables, the shown time in seconds since the epoch, and the width of a point in it."""

    variables: Mapping[str, Chosen]
    since_s: int
    until_s: int
    interval_s: int = 3_600

    def expand(self, sql: str) -> str:
        return self._macros(self._interpolated(self._conditions(sql)))

    def _conditions(self, sql: str) -> str:
        macro = "$__conditionalAll("
        while (at := sql.rfind(macro)) >= 0:
            condition, about = _arguments(sql, at + len(macro) - 1)
            found = re.search(r"(?<=\$\{)\w+(?=\})|(?<=\$)\w+", about.strip())
            assert found, about
            assert not re.search(r"\$[$&`'\d<]", condition), "JavaScript's replace would read this"
            is_all = self.variables[found.group()].value in ("", ALL)
            sql = sql.replace(f"{macro}{condition},{about})", "1=1" if is_all else condition, 1)
        return sql

    def _interpolated(self, sql: str) -> str:
        def value(found: re.Match[str]) -> str:
            name, how = found["plain"] or found["braced"], found["how"] or ""
            return self.variables[name].formatted(how) if name in self.variables else found.group()

        return re.sub(r"\$(?P<plain>\w+)|\$\{(?P<braced>\w+)(?::(?P<how>[^:}]+))?\}", value, sql)

    def _macros(self, sql: str) -> str:
        since, until = f"toDateTime({self.since_s})", f"toDateTime({self.until_s})"
        for macro, template in (
            ("$__timeFilter(", f"{{0}} >= {since} AND {{0}} <= {until}"),
            ("$__timeInterval(", f"toStartOfInterval(toDateTime({{0}}), INTERVAL {max(self.interval_s, 1)} second)"),
        ):
            while (at := sql.find(macro)) >= 0:
                [column] = _arguments(sql, at + len(macro) - 1)
                sql = sql.replace(f"{macro}{column})", template.format(column))
        return sql.replace("$__fromTime", since).replace("$__toTime", until)


def _arguments(sql: str, opening: int) -> list[str]:
    """What stands between the bracket at `opening` and its other half, at its commas."""
    depth, begin, found = 0, opening + 1, []
    for at in range(opening, len(sql)):
        depth += {"(": 1, ")": -1}.get(sql[at], 0)
        if (sql[at] == "," and depth == 1) or depth == 0:
            found.append(sql[begin:at])
            begin = at + 1
        if depth == 0:
            return found
    raise ValueError(f"a bracket is open: {sql[opening:]}")


@dataclass(frozen=True)
class Asked:
    """A query of ClickHouse: of a panel, a variable or an annotation."""

    dashboard: str
    name: str
    sql: str
    panel: Mapping[str, Any]

    def __str__(self) -> str:
        return f"{self.dashboard}: {self.name}"


def dashboards() -> dict[str, Any]:
    """The committed ones, by uid."""
    return {each["uid"]: each for each in (json.loads(file.read_text("utf-8")) for file in sorted(FOLDER.glob("*.json")))}


def queries() -> Iterator[Asked]:
    for uid, dashboard in dashboards().items():
        for panel in dashboard["panels"]:
            for target in panel.get("targets", []):
                if "rawSql" in target:
                    title, _, _ = panel["title"].partition(" · ")
                    name = title if target["refId"] == "A" else f"{title}, {target['refId']}"
                    yield Asked(uid, name, target["rawSql"], panel)
        for variable in dashboard["templating"]["list"]:
            if variable["type"] == "query":
                yield Asked(uid, f"${variable['name']}", variable["query"], {})
        for mark in dashboard["annotations"]["list"]:
            yield Asked(uid, f"@{mark['name']}", mark["target"]["rawSql"], {})
