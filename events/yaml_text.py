"""YAML of people and of strangers: what a text says, never more than it is worth the time to read.

A few hundred bytes may say gigabytes, by aliases of aliases, and brackets may be so deep that the C library's own stack ends. So a
text is bounded in bytes, in depth, and in how much more it says than is written. Every file of YAML is read here.
"""

from typing import Any, Final

import yaml

from events.exit_code import ExitCode

MOST_BYTES: Final = 8 << 20
DEEPEST: Final = 50
MOST_TIMES: Final = 10
"""As much as is written may be said by aliases: hours that many schools share are written once."""
SPARED: Final = 10_000
BYTES_A_NODE: Final = 64
PLAIN: Final[Any] = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
"""Texts, lists and dictionaries only. Ten times as fast as without libyaml, which is in the wheels of PyPI."""
TYPED: Final[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""Numbers, truth values and times as well."""


class TooMuch(yaml.YAMLError):
    """The text is too long, too deep, or says too much by aliases."""

    exit_code = ExitCode.MISTAKE


class UnreadableYaml(yaml.YAMLError):
    """A value is none of the type that it looks like, or the text is no text."""

    exit_code = ExitCode.MISTAKE


def said(content: str | bytes, loader: Any = TYPED) -> Any:
    """Values of the one document of a text. Raises `yaml.YAMLError`."""
    return loaded(content, loader)[1]


def loaded(content: str | bytes, loader: Any) -> tuple[yaml.Node | None, Any]:
    """Nodes, with their places, and values of the one document; None where there is none. Raises `yaml.YAMLError`."""
    if len(content) > MOST_BYTES:
        raise TooMuch(f"has over {MOST_BYTES >> 20} MiB")
    try:
        _refuse_depth(content, loader)
        reader = loader(content)
        node = reader.get_single_node()
        if node is None:
            return None, None
        _refuse_repetition(node)
        return node, reader.construct_document(node)
    except (ValueError, RecursionError) as error:
        raise UnreadableYaml(str(error)) from error


def _refuse_depth(content: str | bytes, loader: Any) -> None:
    depth = 0
    for event in yaml.parse(content, Loader=loader):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > DEEPEST:
            raise TooMuch(f"is over {DEEPEST} levels deep")


def _refuse_repetition(node: yaml.Node) -> None:
    sizes: dict[int, int] = {}
    own: list[int] = []
    if _size(node, sizes, own) > MOST_TIMES * sum(own) + SPARED:
        raise TooMuch(f"says by aliases over {MOST_TIMES} times as much as is written")


def _size(node: yaml.Node, sizes: dict[int, int], own: list[int]) -> int:
    """How much a node says, with all that its aliases say again; `own` gets what is written. One that holds itself counts once."""
    if id(node) not in sizes:
        sizes[id(node)] = 0
        own.append(1 + (len(node.value) // BYTES_A_NODE if isinstance(node, yaml.ScalarNode) else 0))
        sizes[id(node)] = own[-1] + sum(_size(part, sizes, own) for part in _parts(node))
    return sizes[id(node)]


def _parts(node: yaml.Node) -> list[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        return [part for pair in node.value for part in pair]
    return node.value if isinstance(node, yaml.SequenceNode) else []
