"""What a log tells of a mistake: where it is, and not what was in hand."""

import io

import pytest
import structlog

from streams.log import Format, configure_logging


def mistaken(words: str) -> int:
    return 1 // (len(words) - len(words))


@pytest.mark.parametrize("form", ["console", "json"])
@pytest.mark.parametrize("words", ["Ada Invented"])
def test_a_mistake_is_told_without_anybodys_words(form: Format, words: str) -> None:
    out = io.StringIO()
    configure_logging(form, out)
    try:
        mistaken(words)
    except ZeroDivisionError:
        structlog.get_logger("intake").exception("a mistake in the intake")
    assert "ZeroDivisionError" in out.getvalue()
    assert words not in out.getvalue()
