"""The tokens of an SQL text, as far as they say which functions it calls.

Strings, comments and quoted names are told apart exactly as the engine's lexer does, because whatever is hidden in one of
them must neither pass unseen nor be refused by mistake.
"""

import re
from collections.abc import Iterator

TOKEN = re.compile(
    r"(?P<space>\s+|--[^\n]*|\#[ !][^\n]*|/\*.*?(?:\*/|$))"
    r"|(?P<heredoc>\$(?P<tag>\w*)\$.*?\$(?P=tag)\$)"
    r"|(?P<string>'(?:[^'\\]|\\.|'')*')"
    r"|`(?P<backticked>(?:[^`\\]|\\.|``)*)`"
    r'|"(?P<double>(?:[^"\\]|\\.|"")*)"'
    r"|(?P<word>[A-Za-z_]\w*)"
    r"|(?P<number>\d\w*)"
    r"|(?P<other>.)",
    re.DOTALL,
)
ESCAPE = re.compile(r"\\(?:x([0-9A-Fa-f]{2})|(.))", re.DOTALL)


def called_names(sql: str) -> Iterator[str]:
    """Lower-case names, quoted or not, that stand before an opening bracket."""
    name = None
    for token in TOKEN.finditer(sql):
        kind = token.lastgroup
        if kind == "space":
            continue
        if kind == "other" and token[0] == "(" and name is not None:
            yield name.lower()
        quoted = token["backticked"] if kind == "backticked" else token["double"]
        name = token["word"] or (None if quoted is None else unescaped(quoted))


def unescaped(name: str) -> str:
    """A quoted name as the engine reads it."""
    return ESCAPE.sub(lambda found: chr(int(found[1], 16)) if found[1] else found[2], name).replace("``", "`").replace('""', '"')
