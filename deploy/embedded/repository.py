"""What jgo does for us: resolve Maven coordinates with all that they need, and download single jars.

A module of its own because importing jgo takes 0.7 s, which a start with a filled cache need not pay. A mirror of
Maven Central is set where jgo has its own settings: section [repositories] of jgo.conf.
"""

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from jgo.config import GlobalSettings
from jgo.constants import MAVEN_CENTRAL_URL
from jgo.maven import MavenContext

DOWNLOADS_AT_ONCE = 6


class Repository:
    """Maven Central, or the repository at `url`, kept in `folder` as Maven lays it out."""

    def __init__(self, folder: Path, url: str | None = None) -> None:
        from_settings = {"central": MAVEN_CENTRAL_URL, **GlobalSettings.load().repositories}
        self._maven = MavenContext(repo_cache=folder, remote_repos={"central": url} if url else from_settings)

    def resolve(self, coordinates: Iterable[str]) -> list[str]:
        """List the coordinates, then all that they need at run time, as group:artifact:version."""
        own, needed = self._maven.resolver.resolve([self._maven.create_dependency(f"{coordinate}:compile") for coordinate in coordinates])
        artifacts = [*own, *(dependency for dependency in needed if dependency.scope in {"compile", "runtime"})]
        return [f"{each.groupId}:{each.artifactId}:{each.version}" for each in artifacts]

    def download(self, coordinates: Iterable[str]) -> None:
        """Have the jars in the folder. OSError for what network and disk do, RuntimeError where the repository lacks one."""
        with ThreadPoolExecutor(DOWNLOADS_AT_ONCE) as pool:
            list(pool.map(self._download, coordinates))

    def _download(self, coordinate: str) -> None:
        group, name, version = coordinate.split(":")
        self._maven.project(group, name).at_version(version).artifact().resolve()
