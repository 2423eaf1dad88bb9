"""A directory file as a text: YAML, read with the line of every place, so that all mistakes can be told at once.

All scalars are read as texts and judged by the models, so that `08:00` is a time of day and `no` is not a truth value.
"""

from collections.abc import Iterator
from typing import Any, Final

import yaml
from pydantic import ValidationError

from events.directory_mistake import DirectoryError, Place, dotted, told
from events.directory_model import DirectoryFile
from events.yaml_text import PLAIN, TooMuch, loaded

READ_AGAIN: Final = 256 * 1024
"""Characters of a text that is no YAML: the slow reader says more plainly why, and takes a second for so many."""


def read(text: str) -> DirectoryFile:
    """Read and check the text of a file; DirectoryError tells all its mistakes."""
    node, members = _loaded(text)
    lines: dict[Place, int] = {(): 1}
    mistakes = list(_walk(node, (), lines, set()))
    try:
        written = DirectoryFile.model_validate(members)
    except ValidationError as error:
        mistakes += [told(found, lines) for found in error.errors(include_url=False)]
    if mistakes:
        raise DirectoryError("\n".join(f"line {line}: {mistake}" for line, mistake in sorted(set(mistakes))))
    return written


def _loaded(text: str) -> tuple[yaml.Node | None, Any]:
    """The nodes of a text, with their places, and what they say."""
    try:
        return _parsed(text)
    except TooMuch as error:
        raise DirectoryError(f"line 1: {error}; write less") from error
    except yaml.MarkedYAMLError as error:
        line, hint = _place_and_hint(error, text)
        raise DirectoryError(f"line {line}: is not YAML ({error.problem}); {hint}") from error
    except yaml.YAMLError as error:
        raise DirectoryError("line 1: is not YAML that can be read; write a UTF-8 text of `key: value` lines") from error


def _place_and_hint(error: yaml.MarkedYAMLError, text: str) -> tuple[int, str]:
    """Line of a slip in the form, and what to do about it."""
    problem, is_open = str(error.problem), "<stream end>" in str(error.problem) and error.context_mark is not None
    mark = error.context_mark if is_open else error.problem_mark
    if is_open:
        hint = "close the bracket or the quotation mark that begins here"
    elif "\t" in text:
        hint = "indent with spaces, not with tabs"
    elif "mapping values" in problem:
        hint = "write `key: value` with a space behind the colon, also in the line above"
    else:
        hint = "write `key: value`"
    return (mark.line + 1 if mark else 1), hint


def _parsed(text: str) -> tuple[yaml.Node | None, Any]:
    try:
        return loaded(text, PLAIN)
    except yaml.MarkedYAMLError:
        if len(text) > READ_AGAIN:
            raise
        return loaded(text, yaml.BaseLoader)


def _walk(node: yaml.Node | None, place: Place, lines: dict[Place, int], above: set[int]) -> Iterator[tuple[int, str]]:
    """Note the line of every place in the file; yield the keys that stand twice."""
    if node is None or id(node) in above:  # an alias that holds itself
        return
    below = above | {id(node)}
    if isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            lines[*place, index] = item.start_mark.line + 1
            yield from _walk(item, (*place, index), lines, below)
    if isinstance(node, yaml.MappingNode):
        for key, member in node.value:
            here, line = (*place, key.value if isinstance(key.value, str) else str(key.start_mark)), key.start_mark.line + 1
            if here in lines:
                yield line, f"{dotted(here)}: stands here and in line {lines[here]}; write it once"
            lines[here] = line
            yield from _walk(member, here, lines, below)
