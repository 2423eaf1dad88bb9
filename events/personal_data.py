"""Names that look like a person's e-mail address, telephone number or US social security number: no event may hold them.

What is refused by mistake is not counted, so only what is safe to tell is told: an address by its @ and its domain, a telephone
number by +, brackets, separators or `tel:`, a social security number by its separators. Digits and nothing else number cases as
well; only where a pseudonym belongs, which is random or a keyed hash, they are somebody's number (docs/decisions/011). Both readers
of events ask here, so whatever takes events refuses the same.
"""

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from html import unescape
from typing import Final
from unicodedata import category, decimal, normalize
from urllib.parse import unquote

from events.rejection import Reason, Rejection

Allows = Callable[[str, str, str], bool]
"""Whether a district (the first) lets a member (`id` or `subject`) have a value although it looks personal."""

ATTRIBUTES: Final = ("id", "source", "subject")
MEMBERS: Final = ("district", "school", "department", "stakeholder", "author", "topic", "language")
ALLOWABLE: Final = frozenset({"id", "subject"})
PSEUDONYMS: Final = frozenset({"stakeholder", "author"})

TEXTS: Final = frozenset((*ATTRIBUTES, *MEMBERS))

MOST_DECODINGS: Final = 3
"""Encodings (percent, and those of HTML) that are undone, one within the other."""
READ_AS: Final = {"\N{MINUS SIGN}": "-", "\N{IDEOGRAPHIC FULL STOP}": "."}
OF_CATEGORY: Final = {"Pd": "-", "Zs": " ", "Cf": "", "Mn": ""}
"""Dashes and spaces of any script; what is not seen, and marks on letters."""

_AREA = "(?![2-9]11)[2-9][0-8][0-9]"  # North American Numbering Plan: NPA-NXX-XXXX
_EXCHANGE = "(?![2-9]11)[2-9][0-9]{2}"
_ALONE = "(?<![0-9])(?<![0-9][-. _])"
_ENDS = "(?![0-9])(?![-. _][0-9])"
_FIRST, _SECOND, _THIRD = "(?!000|666)[0-9]{3}", "(?!00)[0-9]{2}", "(?!0000)[0-9]{4}"  # area, group and serial number

_email = re.compile(r"[^\s@/:,;<>()\[\]]@(?!v?[0-9]+\.[0-9])(?:[\w-]+\.)+(?:xn--[\w-]+|[^\W\d_]{2,})(?![^\W_])", re.IGNORECASE).search
_telephone = re.compile(
    r"(?<![0-9a-z])\+(?:[-. ()/_]{0,2}[0-9]){9,15}(?![0-9])"
    rf"|\+1[-. _]?{_AREA}[-. _]?{_EXCHANGE}[-. _]?[0-9]{{4}}(?![0-9])"
    rf"|{_ALONE}(?:(?:00|011)?1[-. _])?"
    rf"(?:\({_AREA}\)[-. _]{{0,2}}{_EXCHANGE}[-. _]?|{_AREA}[-. _]{_EXCHANGE}[-. _]|{_AREA}/{_EXCHANGE}[-. _])[0-9]{{4}}{_ENDS}"
    r"|(?<![0-9a-z])tel:(?=[0-9(+])(?:[-. ()/_+]{0,2}[0-9]){7,15}(?![0-9])"
    rf"|(?<![0-9a-z])sms:1?{_AREA}{_EXCHANGE}[0-9]{{4}}(?![0-9])",
    re.IGNORECASE,
).search
_social_security = re.compile(
    rf"(?<![a-z]){_ALONE}{_FIRST}([-. _]){_SECOND}\1{_THIRD}{_ENDS}(?![a-z])"
    rf"|(?<![a-z])ssn[:=#]?{_FIRST}[-. _]?{_SECOND}[-. _]?{_THIRD}(?![0-9])",
    re.IGNORECASE,
).search
_bare_telephone = re.compile(f"1?{_AREA}{_EXCHANGE}[0-9]{{4}}").fullmatch
_bare_social_security = re.compile(_FIRST + _SECOND + _THIRD).fullmatch


def _shape_of(character: str) -> str:
    if character.isdigit():
        return "0"
    if character in "-._/":
        return "-"
    return character.lower() if character.isprintable() and character not in " @%+(#=" else "!"


_SHAPE = "".join(map(_shape_of, map(chr, range(128)))).encode().ljust(256, b"!")
"""Digits as 0, separators as -, small letters; what stands in no name, and what may be of an address, a number or an encoding, as !."""


def nobody_allows(_district: str, _member: str, _text: str) -> bool:
    """Where there is no directory."""
    return False


def anybody_allows(_district: str, _member: str, _text: str) -> bool:
    """For what was judged before: another directory may have let it pass."""
    return True


def are_plain(joined: str) -> bool:
    """Whether these texts, joined without anything between them, are surely names, and none of them looks personal.

    A few searches for all texts of an event, 0.25 us; False says only that each has to be looked at. What both numbers have in common, and
    a colon, are rare: to look for these first takes half the time.
    """
    if not joined.isascii():
        return False
    shape = joined.encode().translate(_SHAPE).decode()
    return (
        "!" not in shape
        and "ssn" not in shape
        and ("0-0000" not in shape or ("000-000-0000" not in shape and "000-00-0000" not in shape))
        and (":" not in shape or ":0" not in shape)
    )


def likeness(text: str, *, pseudonym: bool = False) -> str | None:
    """What personal data a name looks like, in words; None where it does not. A pseudonym may not be somebody's bare number either."""
    if are_plain(text) and not (pseudonym and text.isdigit()):
        return None
    plain = _plain(text)
    if pseudonym and plain.isdigit():
        return _bare(plain)
    if _email(plain):
        return "an e-mail address"
    if _telephone(plain):
        return "a telephone number"
    return "a social security number" if _social_security(plain) else None


def personal_data(attributes: Mapping[str, str | None], data: Mapping[str, str | None], allows: Allows) -> Rejection | None:
    """The first text of an event, valid or not, that looks personal and that its district does not allow."""
    for name in ATTRIBUTES:
        text = attributes.get(name) or ""
        looks = likeness(text)
        if looks and not (name in ALLOWABLE and allows(data.get("district") or "", name, text)):
            return _rejection(f"$.{name}", looks)
    for name in MEMBERS:
        looks = _likeness_of_member(data.get(name) or "", name in PSEUDONYMS)
        if looks:
            return _rejection(f"$.data.{name}", looks)
    return None


@lru_cache(maxsize=16_384)
def _likeness_of_member(text: str, pseudonym: bool) -> str | None:
    """Most events name a place, a topic and people that others named before."""
    return likeness(text, pseudonym=pseudonym)


def _rejection(path: str, looks: str) -> Rejection:
    return Rejection(Reason.PERSONAL_DATA, path, f"looks like {looks}: no event may hold one")


def _bare(digits: str) -> str | None:
    if _bare_telephone(digits):
        return "a telephone number"
    return "a social security number" if _bare_social_security(digits) else None


def _plain(text: str) -> str:
    """As a person would read it: encodings of addresses and pages undone, digits, dashes and spaces of any script as those of ASCII."""
    plain = _in_ascii(text)
    for _ in range(MOST_DECODINGS):
        if "%" not in plain and "&" not in plain:
            break
        plain = _in_ascii(unescape(unquote(plain)))
    return plain


def _in_ascii(text: str) -> str:
    return text if text.isascii() else "".join(map(_character, normalize("NFKC", text)))


def _character(character: str) -> str:
    digit = decimal(character, None)
    if digit is not None:
        return str(digit)
    return READ_AS.get(character) or OF_CATEGORY.get(category(character), character)
