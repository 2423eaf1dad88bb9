"""The jars of Apache Kafka: exactly those of `jars.lock`, fetched by jgo from Maven Central once and verified before every start.

`python -m deploy.embedded.jars` resolves the coordinates below anew and rewrites the lock; nothing else changes it. The
jars are kept in the user's cache folder (`$XDG_CACHE_HOME/frontdesk`, else `~/.cache/frontdesk`), laid out as Maven does. A mirror is
set where jgo has its own settings: section [repositories] of jgo.conf.
"""

import errno
import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from jgo.config import GlobalSettings
from jgo.constants import MAVEN_CENTRAL_URL
from jgo.maven import Artifact, MavenContext

from deploy.embedded import Unavailable
from deploy.embedded.lock import exclusive

COORDINATES = ("org.apache.kafka:kafka_2.13:4.4.0", "org.slf4j:slf4j-simple:1.7.36")
"""The broker, and the smallest logger of the slf4j generation that it was built on (it writes to standard output)."""

LOCK = Path(__file__).with_name("jars.lock")
LOCK_HEADER = "# Apache Kafka and all that it needs, from Maven Central, with SHA-256. Renewed by: python -m deploy.embedded.jars\n"
DOWNLOADS_AT_ONCE = 6
PATIENCE_S = 600.0
"""How long to wait for another process that is filling the same cache."""


@dataclass(frozen=True, order=True)
class Jar:
    """One jar by its Maven coordinate `group:artifact:version` and the SHA-256 of its bytes in hexadecimal."""

    coordinate: str
    sha256: str


def cache_folder(environment: Mapping[str, str] = os.environ) -> Path:
    """Name the folder that keeps what was downloaded, as the XDG base directory specification has it."""
    base = environment.get("XDG_CACHE_HOME", "")
    return (Path(base) if base else Path.home() / ".cache") / "frontdesk"


def locked(lock: Path = LOCK) -> tuple[Jar, ...]:
    """Read the lock file. Raises `Unavailable` when it is not one."""
    lines = [line.split() for line in lock.read_text().splitlines() if line and not line.startswith("#")]
    if not lines or any(len(parts) != 2 for parts in lines):  # noqa: PLR2004  (coordinate and checksum)
        raise Unavailable(f"{lock} is damaged: take it from the release again, or run: python -m deploy.embedded.jars")
    return tuple(Jar(coordinate, checksum) for coordinate, checksum in lines)


def fetched(
    jars: Sequence[Jar], cache: Path, *, repository: str | None = None, progress: Callable[[str], None] = lambda _: None
) -> tuple[Path, ...]:
    """Have every jar in `cache`, with the bytes that the lock names, downloading what is missing or damaged; the class path in order.

    `repository` replaces Maven Central (a URL). Raises `Unavailable` without network, without disk space, or on a wrong checksum.
    """
    maven = _maven(cache, repository)
    with _told(cache), exclusive(cache / "lock", PATIENCE_S, f"another process has been filling {cache} for ten minutes: end it"):
        wrong = [jar for jar in jars if not _verified(maven, jar)]
        if wrong:
            progress(f"downloading Kafka: {len(wrong)} jars, about 45 MB")
            _download(maven, wrong)
    return tuple(_path(maven, jar) for jar in jars)


def resolved(coordinates: Iterable[str], cache: Path) -> tuple[Jar, ...]:
    """Resolve the coordinates with all that they need at run time, and hash the jars; the lock's new content."""
    maven = _maven(cache, None)
    own, needed = maven.resolver.resolve([maven.create_dependency(f"{coordinate}:compile") for coordinate in coordinates])
    artifacts = [*own, *(dependency for dependency in needed if dependency.scope in {"compile", "runtime"})]
    names = [f"{each.groupId}:{each.artifactId}:{each.version}" for each in artifacts]
    with ThreadPoolExecutor(DOWNLOADS_AT_ONCE) as pool:
        paths = list(pool.map(lambda name: _artifact(maven, name).resolve(), names))
    return tuple(Jar(name, _sha256(path)) for name, path in zip(names, paths, strict=True))


def _maven(cache: Path, repository: str | None) -> MavenContext:
    from_settings = {"central": MAVEN_CENTRAL_URL, **GlobalSettings.load().repositories}
    return MavenContext(repo_cache=cache / "maven", remote_repos={"central": repository} if repository else from_settings)


def _artifact(maven: MavenContext, coordinate: str) -> Artifact:
    group, name, version = coordinate.split(":")
    return maven.project(group, name).at_version(version).artifact()


def _path(maven: MavenContext, jar: Jar) -> Path:
    return Path(_artifact(maven, jar.coordinate).cached_path or "")


def _verified(maven: MavenContext, jar: Jar) -> bool:
    path = _path(maven, jar)
    return path.exists() and _sha256(path) == jar.sha256


def _download(maven: MavenContext, jars: Sequence[Jar]) -> None:
    """Fetch each jar afresh. jgo only warns of a wrong checksum and leaves half a file when it is interrupted, so ours decides."""
    for jar in jars:
        _path(maven, jar).unlink(missing_ok=True)
    with ThreadPoolExecutor(DOWNLOADS_AT_ONCE) as pool:
        list(pool.map(lambda jar: _artifact(maven, jar.coordinate).resolve(), jars))
    for jar in jars:
        if not _verified(maven, jar):
            raise Unavailable(
                f"{jar.coordinate} as downloaded is not the file that {LOCK.name} names (SHA-256 {_sha256(_path(maven, jar))}): "
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
        if error.errno in {errno.EACCES, errno.EPERM, errno.EROFS}:
            raise Unavailable(f"cannot write to {cache}: make it yours, or set XDG_CACHE_HOME to another folder") from error
        raise Unavailable(
            "cannot download Kafka from Maven Central: connect this machine to the network once (later starts need none), "
            f"or name a mirror in jgo's settings, or copy a filled cache to {cache}"
        ) from error
    except RuntimeError as error:
        raise Unavailable(f"the Maven repository lacks a jar that {LOCK.name} names; is a mirror out of date? ({error})") from error


def main() -> None:
    """Rewrite the lock."""
    jars = resolved(COORDINATES, cache_folder())
    LOCK.write_text(LOCK_HEADER + "".join(f"{jar.coordinate} {jar.sha256}\n" for jar in jars))
    print(f"{LOCK.name}: {len(jars)} jars")


if __name__ == "__main__":
    main()
