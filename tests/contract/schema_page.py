"""The parts of docs/schema.md that follow from the code: reasons, settings, topics, tables, views, each between two marks.

Columns, types and comments are those of a migrated database, so the page says what is there and not what was meant.
`python -m tests.contract.schema_page` writes the parts again (it starts the embedded ClickHouse for it); a test fails when
they differ.
"""

import inspect
import re
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal, get_args, get_origin

from clickhouse_driver import Client
from pydantic.fields import FieldInfo

from deploy.embedded.clickhouse import ClickHouseServer
from events.contract import MODELS
from events.rejection import Reason
from sinks.clickhouse.connection import ClickHouse
from sinks.clickhouse.migration import MIGRATIONS, VIEWS, migrate
from streams.kafka.topics import topics
from streams.setting_kinds import Brokers, Certificates, DatabaseName, FilePlace, Folder, FolderThere, Host, ReadableFile, TopicName
from streams.settings import Settings

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/schema.md"
PART = re.compile(r"(<!-- made from the code: ([a-z ]+) -->\n).*?(<!-- end -->)", re.DOTALL)

UNITS = (
    (r"_bp2$", "10^-8"),
    (r"_bp$", "1/10,000"),
    (r"_ms$", "ms"),
    (
        r"(_n|s_due|_in_time)$|^(contacts|contacts_24h|contacts_1h|messages|stakeholders|responses|resolutions|replies|ratings|reopens|conflicts|partitions)$",
        "count",
    ),
    (r"^quality_sum$", "count"),
    (r"^bytes$", "bytes"),
    (r"_of_10$", "0..10"),
    (r"^(rating|rating_mean|[srq]|.*(_share|_part|compliance|_per_resolution)|csat.*)$", "0..1"),
    (r"^score(_low|_high)?$|_points$", "points, 0..100"),
)
"""What a number counts, by the name of its column: the unit comes last in it."""

MEANINGS = {
    "district_name": "Name for people; the district where the directory has none",
    "school_name": "Name for people; the school where the directory has none",
    "department_name": "Name for people; the department where the directory has none",
    "contacts": "Questions received",
    "messages": "Messages received, follow-ups included",
    "stakeholders": "Distinct people who wrote",
    "responses": "First responses given",
    "responses_due": "Response deadlines that passed",
    "responses_in_time": "Of those, answered in time",
    "response_mean_ms": "Mean time to first response, calendar",
    "response_mean_business_ms": "Mean time to first response, open hours",
    "response_compliance": "Share of response deadlines that were kept; null where none passed",
    "resolutions": "Resolutions that hold",
    "resolutions_due": "Resolution deadlines that passed",
    "resolutions_in_time": "Of those, resolved in time",
    "resolution_mean_ms": "Mean time to resolution, calendar",
    "resolution_mean_business_ms": "Mean time to resolution, open hours",
    "resolution_compliance": "Share of resolution deadlines that were kept; null where none passed",
    "reopened_share": "Share of resolutions of questions that had been reopened",
    "quality_share": "Share of resolutions in time and never reopened, of those with a deadline",
    "ratings": "Ratings given",
    "ratings_per_resolution": "Ratings for each resolution: how many answer when they are asked",
    "rating_mean": "Mean rating, 0 worst to 1 best",
    "rating_mean_of_10": "The same on a scale of ten",
    "csat": "Share of ratings of 0.75 and more (top two of five)",
    "csat_low": "Wilson's 95 % interval of csat, lower end",
    "csat_high": "Wilson's 95 % interval of csat, upper end",
    "score": "Score of 28 days, whatever the window; null under 10 ratings",
    "promised_share": "Share of promises that the district means to keep, by the directory; null before it is written",
    "score_low": "90 % interval of the score, lower end",
    "score_high": "90 % interval of the score, upper end",
    "score_reason": "Why there is no score; empty where there is one",
    "score_satisfaction_points": "What satisfaction contributes to the score, of 100 times its weight",
    "score_response_points": "What responses in time contribute, of 100 times their weight",
    "score_quality_points": "What resolutions in time and never reopened contribute, of 100 times their weight",
    "s_weight": "Weight of satisfaction in the score, 0..1",
    "r_weight": "Weight of responses in time",
    "q_weight": "Weight of resolutions in time and never reopened",
    "m": "How many answers the parent weighs as much as",
    "satisfaction_points": "What satisfaction contributes to the score, of 100 times its weight",
    "response_points": "What responses in time contribute, of 100 times their weight",
    "quality_points": "What resolutions in time and never reopened contribute, of 100 times their weight",
    "satisfaction_part": "Satisfaction: mean rating, pulled towards the parent",
    "response_part": "Responses in time, pulled towards the parent",
    "quality_part": "Resolutions in time and never reopened, pulled towards the parent",
    "s": "Satisfaction: mean rating, pulled towards the parent",
    "r": "Responses in time, pulled towards the parent",
    "q": "Resolutions in time and never reopened, pulled towards the parent",
    "s_n": "Ratings behind it",
    "r_n": "Response deadlines behind it",
    "q_n": "Resolutions behind it",
    "s_variance": "Variance of s",
    "r_variance": "Variance of r",
    "q_variance": "Variance of q",
    "age_ms": "Since receipt, at the moment of reading",
    "waiting_ms": "Since the oldest message without an answer, at the moment of reading",
    "response_promise": "no promise, in time, due soon (80 % of the time have passed), kept or missed",
    "resolution_promise": "no promise, in time, due soon, kept or missed; the first resolution counts",
    "next_promise": "Which promise falls due next: response until it is answered, then resolution until it is first resolved; empty: none",
    "next_due_at": "Deadline of that promise; null where there is none",
    "target": "What was promised: response or resolution",
    "stage": "warning: 80 % of the time have passed; breach: all of it",
    "reached_at": "When the stage was reached",
    "due_at": "Deadline",
    "ended_at": "When it was answered or resolved after all; null where it was not",
    "is_open": "Whether that is still to come",
    "late_ms": "From the deadline to the answer, or to the moment of reading; negative before the deadline",
    "kind": "district, school or department",
    "id": "As events name it",
    "contacts_24h": "Those of the last 24 hours",
    "contacts_1h": "Those of the last hour: none, once the slip is mended",
    "month": "First day of the calendar month that has the Thursdays of these weeks",
    "week": "Monday of the ISO week of receipt, in the district's zone",
    "last_day_known": "A week after the last Sunday: what happens later is not counted",
    "response_kept": "Whether the response deadline was kept; null where none passed by then",
    "resolution_kept": "Whether the resolution deadline was kept; null where none passed by then",
    "content": "Whether the rating is 0.75 or more; null where there is none by then",
    "division": "district, week, school or department: how the month is divided",
    "part": "The week's Monday, the school or the department; empty for the whole, and for what is in no part",
    "number": "What is counted: contacts, response, response_promise, resolution, resolution_promise or rating",
    "drawn": "Lot by which parts are hidden beside small ones",
    "people": "Distinct people of it",
    "n": "Questions of it",
    "total": "Sum of what is measured; of promises and ratings, how many were kept or content",
    "p50_ms": "Median, calendar",
    "p50_business_ms": "Median, open hours",
    "period": "month or week",
    "first_day": "Monday on which the period begins, by the district's calendar",
    "last_day": "Sunday on which it ends",
    "suppressed": "1 where all numbers are hidden",
    "released_at": "When the month was released",
}
"""Columns of views that no table explains: ClickHouse keeps no comments for a view's columns."""

LIKE_TABLE = {
    "indicators": "windows",
    "score_parts": "windows",
    "scores": "windows",
    "open_cases": "cases",
    "breaches": "cases",
    "unlisted": "windows",
    "cohorts": "cases",
    "cohort_tallies": "windows",
    "publishable_indicators": "releases",
    "public_indicators": "releases",
}
"""Whose comments a view's columns of the same names have."""


def parts(client: Client) -> dict[str, str]:
    """Every made part of the page by its name. `client` is connected to a migrated database."""
    return {
        "event types": event_types(),
        "reasons": reasons(),
        "topics": topic_table(),
        "tables": "\n".join(table(client, name) for name in table_names()),
        "views": "\n".join(view(client, name, why) for name, why in view_purposes().items()),
        "settings": settings_table(),
    }


def parts_of(page: str) -> dict[str, str]:
    """The made parts as a page has them."""
    return {name: page[begin:end] for name, begin, end in ((m[2], m.end(1), m.start(3)) for m in PART.finditer(page))}


def renewed(page: str, made: Mapping[str, str]) -> str:
    """The page with these parts."""
    return PART.sub(lambda m: f"{m[1]}{made[m[2]]}{m[3]}", page)


def markdown(heading: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A table; bars in a cell are escaped."""
    columns = list(heading)
    lines = [columns, ["---"] * len(columns), *rows]
    return "".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |\n" for line in lines)


# -- contract ----------------------------------------------------------------------------------------------------------
def event_types() -> str:
    rows = (
        (f"`{kind}`", f"[{name}.json](schemas/{name}.json)", first_line(model))
        for kind, model in MODELS.items()
        if (name := model.__name__.lower())
    )
    return markdown(("type", "schema", "what it says"), rows)


def first_line(documented: Any) -> str:
    return " ".join((inspect.getdoc(documented) or "").split("\n\n")[0].split())


def reasons() -> str:
    """With the words below each member in the source: an enumeration keeps no docstrings of its members."""
    told = dict(re.findall(r'= "(\w+)"\n\s+"""(.*?)"""', inspect.getsource(Reason), re.DOTALL))
    return markdown(("reason", "what is wrong"), ((f"`{reason.value}`", told.get(reason.value, "")) for reason in Reason))


# -- settings and topics -----------------------------------------------------------------------------------------------
def settings_table() -> str:
    rows = (
        (f"`FRONTDESK_{name.upper()}`", value_of(field), allowed(field), field.description or "")
        for name, field in Settings.model_fields.items()
    )
    return markdown(("setting", "default", "values", "what it is"), rows)


def value_of(field: FieldInfo) -> str:
    value = field.default
    plain = value.get_secret_value() if hasattr(value, "get_secret_value") else value
    return "" if plain is None or plain == "" else f"`{plain}`"


def allowed(field: FieldInfo) -> str:
    """The values of a setting in words: those of a closed set, or the kind and its bounds."""
    kind: Any = field.annotation
    if get_origin(kind) is Literal:
        return ", ".join(f"`{value}`" for value in get_args(kind))
    name = next((text for each, text in KINDS.items() if each in {kind, *get_args(kind)} or has_rules(field, each)), "text")
    bounds = [f"{words} {getattr(rule, key)}" for rule in field.metadata for key, words in BOUNDS.items() if hasattr(rule, key)]
    return ", ".join([name, *bounds])


def has_rules(field: FieldInfo, kind: Any) -> bool:
    """Whether it is of this kind: what is declared of a kind stands with the field where it is not one of several."""
    rules = getattr(kind, "__metadata__", ())
    return bool(rules) and all(rule in field.metadata for rule in rules)


KINDS: dict[Any, str] = {
    int: "whole number",
    float: "number",
    bool: "`true`, `false`",
    Brokers: "host:port, ...",
    Host: "host name or address",
    TopicName: "letters, digits, `.`, `_`, `-`",
    DatabaseName: "letters, digits, `_`",
    ReadableFile: "file",
    Certificates: "file",
    FolderThere: "folder",
    Folder: "folder",
    FilePlace: "file",
}
BOUNDS = {"ge": "at least", "le": "at most"}


def topic_table() -> str:
    given = Settings.model_construct()
    setting = {getattr(given, name): name for name in ("topic", "dead_letter_topic", "breach_topic", "changelog_topic")}
    rows = (
        (
            f"`{t.name}`",
            f"`FRONTDESK_{setting[t.name].upper()}`",
            str(t.partitions),
            str(t.replication),
            ", ".join(f"`{k}={v}`" for k, v in t.configs.items()) or "the brokers' own",
        )
        for t in topics(given)
    )
    return markdown(("topic", "setting", "partitions", "replicas", "configuration"), rows)


# -- tables and views --------------------------------------------------------------------------------------------------
def table_names() -> list[str]:
    """In the order of the migrations."""
    return [name for path in sorted(MIGRATIONS.glob("*.sql")) for name in re.findall(r"CREATE TABLE IF NOT EXISTS (\w+)", path.read_text())]


def view_purposes() -> dict[str, str]:
    """Each view with the words that its file begins with, in the order of the files."""
    texts = {path.stem.partition("_")[2]: path.read_text() for path in sorted(VIEWS.glob("*.sql"))}
    return {name: " ".join(re.findall(r"^-- ?(.*)", text.partition("CREATE")[0], re.MULTILINE)) for name, text in texts.items()}


def table(client: Client, name: str) -> str:
    [(why, engine, key, slices)] = client.execute(
        "SELECT comment, engine_full, sorting_key, partition_key FROM system.tables WHERE database = currentDatabase() AND name = %(name)s",
        {"name": name},
    )
    kept = re.search(r"TTL (.*?)(?: SETTINGS|$)", engine)
    facts = [f"`{engine.partition(' ')[0]}`", f"a row is known by `{key}`"]
    facts += [f"partitions by `{slices}`"] if slices else []
    facts += [f"kept until `{kept[1]}`"] if kept else []
    rows = (
        (f"`{column}`", f"`{kind}`", unit(column, kind), comment + (f" (made by the server: `{made}`)" if made else ""))
        for column, kind, comment, made in columns(client, name)
    )
    return f"### {name}\n{why}.\n\n{'; '.join(facts)}.\n\n" + markdown(("column", "type", "unit", "meaning"), rows)


def view(client: Client, name: str, why: str) -> str:
    known = {column: comment for column, _, comment, _ in columns(client, LIKE_TABLE[name])}
    rows = (
        (f"`{column}`", f"`{kind}`", unit(column, kind), known.get(column) or MEANINGS.get(column, ""))
        for column, kind, _, _ in columns(client, name)
    )
    return f"### {name}\n{why}\n\n" + markdown(("column", "type", "unit", "meaning"), rows)


def columns(client: Client, name: str) -> list[tuple[str, str, str, str]]:
    """(name, type, comment, default) of each column in order; a view with parameters is described as of empty ones."""
    [(query,)] = client.execute(
        "SELECT create_table_query FROM system.tables WHERE database = currentDatabase() AND name = %(name)s", {"name": name}
    )
    parameters = sorted(set(re.findall(r"\{(\w+):String\}", query)))
    asked = f"{name}({', '.join(f'{each} = {chr(39) * 2}' for each in parameters)})" if parameters else name
    return [(column, kind, comment, made) for column, kind, _, made, comment, *_ in client.execute(f"DESCRIBE TABLE {asked}")]


def unit(column: str, kind: str) -> str:
    if "DateTime" in kind:
        return "instant, UTC"
    if "String" in kind or "Enum" in kind or "Bool" in kind:
        return ""
    return next((found for pattern, found in UNITS if re.search(pattern, column)), "")


def main() -> int:
    """Write the page's made parts again."""
    with TemporaryDirectory() as folder, ClickHouseServer(Path(folder)) as server:
        place = ClickHouse(port=server.native_port)
        migrate(place)
        with place.connect() as client:
            made = parts(client)
    PAGE.write_text(renewed(PAGE.read_text("utf-8"), made), "utf-8")
    print(f"{PAGE.relative_to(ROOT)}: {', '.join(made)}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
