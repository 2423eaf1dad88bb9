"""Words of records, files and servers as a terminal may show them: what it would obey, or what would turn a line around, is escaped.

Whoever writes a record may name a thing with the bytes that set a terminal's title, and the terminal of whoever looks would obey.
"""

import re
from typing import Final

from pydantic import ValidationError

_OBEYED: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
"""Controls but for the tab and the end of a line, marks of the direction of writing, halves of characters."""


def legible(text: str) -> str:
    """The same text where there is nothing to escape; lines stay lines."""
    return _OBEYED.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def in_one_line(text: str) -> str:
    """Also tabs and ends of lines are escaped, so that nothing can pass for another line."""
    return legible(text).replace("\t", "\\t").replace("\n", "\\n")


def problems_in(error: ValidationError, of_the_whole: str = "") -> str:
    """What pydantic found, without what was given, which may be a secret; `of_the_whole` in place of its words where it names no member."""
    found = error.errors(include_url=False, include_input=False)
    return "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" if each["loc"] else of_the_whole or each["msg"] for each in found)
