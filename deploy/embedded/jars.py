"""The jars of Apache Kafka: exactly those of `jars.lock`, fetched from Maven Central once and verified before every start.

`python -m deploy.embedded.jars` resolves the coordinates below anew and rewrites the lock; nothing else changes it. The
jars are kept in the user's cache folder: `$XDG_CACHE_HOME/frontdesk`, else `~/.cache/frontdesk`.
"""

import errno
import hashlib
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from deploy.embedded import Unavailable
from deploy.embedded.lock import exclusive

COORDINATES = ("org.apache.kafka:kafka_2.13:4.4.0", "org.slf4j:slf4j-simple:1.7.36")
"""The broker, and the smallest logger of the slf4j generation that it was built on (it writes to standard output)."""

LOCK = Path(__file__).with_name("jars.lock")
LOCK_HEADER = "# Apache Kafka and all that it needs, from Maven Central, with SHA-256. Renewed by: python -m deploy.embedded.jars\n"
PATIENCE_S = 600.0
"""How long to wait for another process that is filling the same cache."""


@dataclass(frozen=True)
class Jar:
    """One jar by its Maven coordinate `group:artifact:version` and the SHA-256 of its bytes in hexadecimal."""

    coordinate: str
    sha256: str

    def path(self, cache: Path) -> Path:
        """Say where the jar is kept, as Maven lays its repositories out."""
        return _place(cache, self.coordinate)


def cache_folder(environment: Mapping[str, str] = os.environ) -> Path:
    """Name the folder that keeps what was downloaded, as the XDG base directory specification has it."""
    base = environment.get("XDG_CACHE_HOME", "")
    return (Path(base) if base else Path.home() / ".cache") / "frontdesk"


def locked(lock: Path = LOCK) -> tuple[Jar, ...]:
    """Read the lock file. Raises `Unavailable` when it is not one."""
    lines = [line.split() for line in lock.read_text().splitlines() if line and not line.startswith("#")]
    if not lines or any(len(parts) != 2 or parts[0].count(":") != 2 for parts in lines):  # noqa: PLR2004  (coordinate and checksum)
        raise Unavailable(f"{lock} is damaged: install Frontdesk again")
    return tuple(Jar(coordinate, checksum) for coordinate, checksum in lines)


def fetched(
    jars: Sequence[Jar], cache: Path, *, repository: str | None = None, progress: Callable[[str], None] = lambda _: None
) -> tuple[Path, ...]:
    """Have every jar in `cache`, with the bytes that the lock names, downloading what is missing or damaged; the class path in order.

    `repository` replaces Maven Central (a URL). Raises `Unavailable` without network, without disk space, or on a wrong checksum.
    """
    with _told(cache), exclusive(cache / "lock", PATIENCE_S, f"another process has been filling {cache} for ten minutes: end it"):
        wrong = [jar for jar in jars if not _verified(jar, cache)]
        if wrong:
            progress("downloading Kafka (45 MB, once)")
            _download(wrong, cache, repository)
    return tuple(jar.path(cache) for jar in jars)


def main() -> None:
    """Rewrite the lock from what the coordinates resolve to today."""
    from deploy.embedded.repository import Repository  # noqa: PLC0415  (see _download)

    repository = Repository(cache_folder() / "maven")
    names = repository.resolve(COORDINATES)
    repository.download(names)
    LOCK.write_text(LOCK_HEADER + "".join(f"{name} {_sha256(_place(cache_folder(), name))}\n" for name in names))
    print(f"{LOCK.name}: {len(names)} jars")


def _place(cache: Path, coordinate: str) -> Path:
    group, name, version = coordinate.split(":")
    return cache.joinpath("maven", *group.split("."), name, version, f"{name}-{version}.jar")


def _verified(jar: Jar, cache: Path) -> bool:
    path = jar.path(cache)
    return path.exists() and _sha256(path) == jar.sha256


def _download(jars: Sequence[Jar], cache: Path, url: str | None) -> None:
    """Fetch each jar afresh. jgo only warns of a wrong checksum and leaves half a file when it is interrupted, so ours decides."""
    from deploy.embedded.repository import Repository  # noqa: PLC0415  (importing jgo takes 0.7 s, which a warm start need not pay)

    for jar in jars:
        jar.path(cache).unlink(missing_ok=True)
    Repository(cache / "maven", url).download(jar.coordinate for jar in jars)
    for jar in jars:
        if not _verified(jar, cache):
            raise Unavailable(
                f"{jar.coordinate} as downloaded is not the file that {LOCK.name} names (its SHA-256 is {_sha256(jar.path(cache))}): "
                "a proxy or mirror altered it, or the lock is damaged; nothing was started"
            )


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def _told(cache: Path) -> Iterator[None]:
    """Turn what the network and the disk do to a download into one plain message. jgo's network errors are OSErrors too."""
    try:
        yield
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            raise Unavailable(f"no disk space left for Kafka's jars in {cache} (250 MB): free some, or set XDG_CACHE_HOME") from error
        if error.errno in {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR}:
            raise Unavailable(f"cannot write to {cache}: make it yours, or set XDG_CACHE_HOME to another folder") from error
        raise Unavailable(
            "cannot download Kafka from Maven Central: connect this machine to the network once (later starts need none), "
            f"or name a mirror in jgo's settings, or copy a filled cache to {cache}"
        ) from error
    except RuntimeError as error:
        raise Unavailable(f"the Maven repository does not give a jar that {LOCK.name} names; is a mirror out of date? ({error})") from error


if __name__ == "__main__":
    main()
