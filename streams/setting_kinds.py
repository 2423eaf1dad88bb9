"""Kinds of settings, each with what is right for it: what is wrong is told at the start, by the name of the variable.

A setting that is only found wrong when it is used ends a command in the middle, or in a library's own words. So nothing gets past
here that a client, a server or a file system would refuse for its form. Whether somebody answers there is another question.
"""

# ruff: noqa: PTH112, PTH113 - pathlib raises where a name is too long; os.path says that there is no such thing

import os
import re
import shutil
import ssl
import stat
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Final

from pydantic import AfterValidator, StringConstraints

from streams.host import authority

LABEL: Final = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
HOST_NAME: Final = re.compile(rf"{LABEL}(?:\.{LABEL})*\.?")
LONGEST_HOST_NAME: Final = 253
"""RFC 1035; a longer one, or a longer label, is refused by whoever looks it up."""
BROKER: Final = re.compile(r"(?:\[(?P<address>[^\[\]]+)\]|(?P<name>[^:\[\]]+)):(?P<port>[0-9]{1,5})")
LARGEST_PORT: Final = 65_535
TOPIC_NAME: Final = re.compile(r"[A-Za-z0-9._-]+")
LONGEST_TOPIC_NAME: Final = 240
"""Kafka's limit is 249; a changelog's name gets the number of its epoch."""


def host(text: str) -> str:
    """A name or an address, IPv4 or IPv6. Raises ValueError."""
    if not (_is_address(text) or (len(text) <= LONGEST_HOST_NAME and HOST_NAME.fullmatch(text))):
        raise ValueError(f"{quoted(text)} is neither a host name nor an address; write it like kafka.example.org, 127.0.0.1 or ::1")
    return text


def brokers(text: str) -> str:
    """`host:port` of one or more, separated by commas; an IPv6 address in brackets. Raises ValueError."""
    for each in text.split(","):
        found = BROKER.fullmatch(each.strip())
        if found is None or not 1 <= int(found["port"]) <= LARGEST_PORT or (found["address"] and not _is_address(found["address"])):
            raise ValueError(f"{quoted(each)} is no host:port; write them like kafka-1.example.org:9092,kafka-2.example.org:9092")
        host(found["address"] or found["name"])
    return text


def hosts(text: str) -> str:
    """Names or addresses of hosts, separated by commas; none at all, too. Raises ValueError."""
    for name in filter(None, text.split(",")):
        named = authority(name.strip())
        if named is None or named.port is not None:
            raise ValueError(f"{quoted(name)} is no name or address without a port; separate several by commas")
    return text


def topic_name(text: str) -> str:
    """As Kafka takes it, also with the number of an epoch behind it. Raises ValueError."""
    if text in {".", ".."} or len(text) > LONGEST_TOPIC_NAME or not TOPIC_NAME.fullmatch(text):
        raise ValueError(f"{quoted(text)} is no name for Kafka; write letters, digits, '.', '_' and '-', at most {LONGEST_TOPIC_NAME}")
    return text


def readable(path: Path) -> Path:
    """A file that is there. Raises ValueError."""
    if not (os.path.isfile(path) and os.access(path, os.R_OK)):
        raise ValueError(f"{quoted(str(path))} is not a file that can be read")
    return path


def certificates(path: Path) -> Path:
    """A file of certificates. Raises ValueError."""
    try:
        ssl.create_default_context(cafile=readable(path))
    except ssl.SSLError as error:
        raise ValueError(f"{quoted(str(path))} is no file of certificates in PEM form ({error.reason or error})") from error
    return path


def folder(path: Path) -> Path:
    """A folder, or a place where one can be made. Raises ValueError."""
    try:
        is_folder = stat.S_ISDIR(path.stat().st_mode)
    except FileNotFoundError:
        return path
    except OSError as error:
        raise ValueError(f"{quoted(str(path))} cannot be a folder: {error.strerror}") from error
    if not is_folder:
        raise ValueError(f"{quoted(str(path))} is not a folder")
    return path


def folder_that_is_there(path: Path) -> Path:
    if not os.path.isdir(path):
        raise ValueError(f"{quoted(str(path))} is not a folder")
    return path


def no_folder(path: Path) -> Path:
    """A file, or a place where one can be made. Raises ValueError."""
    if os.path.isdir(path):
        raise ValueError(f"{quoted(str(path))} is a folder; name a file")
    return path


def program(text: str) -> str:
    """A program's path, of a path or a name on the PATH; '' for none. Raises ValueError."""
    if text in {"", "none"}:
        return ""
    found = shutil.which(text)
    if found is None:
        raise ValueError(f"{quoted(text)} is no program that can be run; name one by its path, or write none")
    return str(Path(found).absolute())


def quoted(text: str) -> str:
    """What was given, as far as one can take it in; what a terminal would obey is escaped."""
    return repr(text if len(text) <= MOST_QUOTED else f"{text[:MOST_QUOTED]}...")


MOST_QUOTED: Final = 160


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


Host = Annotated[str, AfterValidator(host)]
Brokers = Annotated[str, AfterValidator(brokers)]
TopicName = Annotated[str, AfterValidator(topic_name)]
DatabaseName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", max_length=200)]
"""A rebuild's database has this name and a number, and each is a folder's name."""
ClusterName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.-]*$", max_length=200)]
ReadableFile = Annotated[Path, AfterValidator(readable)]
Certificates = Annotated[Path, AfterValidator(certificates)]
Folder = Annotated[Path, AfterValidator(folder)]
FolderThere = Annotated[Path, AfterValidator(folder_that_is_there)]
FilePlace = Annotated[Path, AfterValidator(no_folder)]
Hosts = Annotated[str, AfterValidator(hosts)]
Program = Annotated[str, AfterValidator(program)]
