"""What is true of all code of the product: one name for one thing, short functions, one place for the names of Kafka's headers."""

import ast
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from events import headers

ROOT = Path(__file__).parents[2]
PRODUCT = {
    str(file.relative_to(ROOT)): file.read_text()
    for folder in ("events", "projections", "sinks", "streams", "deploy")
    for file in sorted((ROOT / folder).rglob("*.py"))
}
LONG = 40
WHY_LONG = re.compile(r"\blong\b.*\bbecause\b", re.IGNORECASE)
OF_HTTP = ("streams/http/", "streams/intake/", "streams/page/")
"""There `content-type` is a header of a web request."""


def of_kind(kind: type[ast.AST] | tuple[type[ast.AST], ...]) -> Iterator[tuple[str, ast.AST]]:
    for name, source in PRODUCT.items():
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, kind):
                yield name, node


def test_no_two_classes_have_one_name() -> None:
    names = Counter(node.name for _, node in of_kind(ast.ClassDef) if isinstance(node, ast.ClassDef))
    assert [name for name, times in names.items() if times > 1] == []


def long_without_a_reason(source: str) -> list[str]:
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            text = ast.get_source_segment(source, node) or ""
            if text.count("\n") >= LONG and not WHY_LONG.search(text):
                found.append(node.name)
    return found


@pytest.mark.parametrize("name", PRODUCT)
def test_a_long_function_says_why(name: str) -> None:
    assert long_without_a_reason(PRODUCT[name]) == []


def test_this_test_sees_a_long_function() -> None:
    body = "    x = 1\n" * LONG
    assert long_without_a_reason(f"def f():\n{body}") == ["f"]
    assert long_without_a_reason(f"def f():\n    # long, because it is a table\n{body}") == []
    assert long_without_a_reason("def f():\n    x = 1\n") == []


def names_a_header(text: object) -> bool:
    ours = (headers.BACKFILL, headers.FORWARDED, headers.CONTENT_TYPE, headers.ATTRIBUTE, headers.DEAD_LETTER)
    return isinstance(text, str) and (text in ours or text.startswith((headers.ATTRIBUTE, headers.DEAD_LETTER)))


def test_names_of_kafka_headers_stand_in_one_module() -> None:
    elsewhere = {
        f"{name}: {node.value}"
        for name, node in of_kind(ast.Constant)
        if isinstance(node, ast.Constant) and name != "events/headers.py" and names_a_header(node.value)
    }
    of_requests = {f"{found}" for found in elsewhere if found.startswith(OF_HTTP) and found.endswith(": content-type")}
    assert elsewhere - of_requests == set()
