"""Kafka's jars: nothing runs that the lock does not name, and whatever keeps them from coming is told plainly.

A local repository, filled from the cache of this machine, stands for Maven Central.
"""

import os
import shutil
import socket
import time
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from deploy.embedded import Unavailable, jars
from deploy.embedded.jars import Jar, cache_folder, fetched, locked
from deploy.embedded.java import Java, environment
from deploy.embedded.kafka import UNUSED_S, Kafka, _remove_unused, installed

pytestmark = pytest.mark.embedded

SMALL = "org.slf4j:slf4j-api:1.7.36"


class Silent(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  (the name that the base class gives it)
        """Say nothing."""


@pytest.fixture(scope="module")
def java() -> Java:
    """Kafka as installed on this machine."""
    return installed(cache_folder())


@pytest.fixture
def central(java: Java) -> Iterator[str]:
    """The URL of a repository with the jars of this machine's cache."""
    assert java.class_path
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Silent, directory=cache_folder() / "maven")) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture
def nowhere() -> Iterator[str]:
    """A URL where nobody listens."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{bound.getsockname()[1]}"


def small() -> Jar:
    return next(jar for jar in locked() if jar.coordinate == SMALL)


def test_an_empty_cache_is_filled_and_then_needs_no_network(tmp_path: Path, central: str, nowhere: str) -> None:
    said: list[str] = []
    first = fetched([small()], tmp_path, repository=central, progress=said.append)
    again = fetched([small()], tmp_path, repository=nowhere, progress=said.append)
    assert first == again
    assert first[0].stat().st_size > 0
    assert said == ["downloading Kafka (45 MB, once)"]


def test_half_a_download_of_before_is_fetched_again(tmp_path: Path, central: str) -> None:
    (path,) = fetched([small()], tmp_path, repository=central)
    whole = path.read_bytes()
    path.write_bytes(whole[:1000])
    fetched([small()], tmp_path, repository=central)
    assert path.read_bytes() == whole


def test_a_jar_that_is_not_what_the_lock_names_is_refused(tmp_path: Path, central: str) -> None:
    other = replace(small(), sha256="0" * 64)
    with pytest.raises(
        Unavailable, match=rf"{SMALL} as downloaded is not the file that jars.lock names.*{small().sha256}.*nothing was started"
    ):
        fetched([other], tmp_path, repository=central)


def test_kafka_does_not_start_on_a_jar_that_was_altered(tmp_path: Path, nowhere: str) -> None:
    shutil.copytree(cache_folder() / "maven", tmp_path / "cache" / "maven")
    small().path(tmp_path / "cache").write_bytes(b"altered")
    with pytest.raises(Unavailable, match="cannot download Kafka"):
        Kafka(tmp_path / "data", cache=tmp_path / "cache", repository=nowhere).start()


def test_no_network_and_an_empty_cache_are_told(tmp_path: Path, nowhere: str) -> None:
    kafka = Kafka(tmp_path / "data", cache=tmp_path / "cache", repository=nowhere)
    with pytest.raises(Unavailable, match="connect this machine to the network once"):
        kafka.start()
    assert not kafka.alive()


def test_a_repository_without_the_jar_is_told(tmp_path: Path, central: str) -> None:
    with pytest.raises(Unavailable, match=r"does not give a jar that jars\.lock names"):
        fetched([replace(small(), coordinate="org.slf4j:slf4j-api:0.0.1")], tmp_path, repository=central)


def test_a_cache_that_cannot_be_written_is_told(tmp_path: Path, central: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(Unavailable, match="set XDG_CACHE_HOME"):
        fetched([small()], tmp_path / "file" / "cache", repository=central)


@pytest.mark.parametrize("text", ["", "not a lock\n", "org.slf4j:slf4j-api:1.7.36\n"])
def test_a_damaged_lock_is_told(tmp_path: Path, text: str) -> None:
    lock = tmp_path / "jars.lock"
    lock.write_text(text)
    with pytest.raises(Unavailable, match="is damaged"):
        locked(lock)


def test_the_lock_names_what_was_asked_for_and_no_host() -> None:
    assert {jar.coordinate for jar in locked()} >= set(jars.COORDINATES)
    assert "://" not in jars.LOCK.read_text()


def test_the_cache_is_where_xdg_says(tmp_path: Path) -> None:
    assert cache_folder({"XDG_CACHE_HOME": str(tmp_path)}) == tmp_path / "frontdesk"
    assert cache_folder({}) == Path.home() / ".cache" / "frontdesk"


def test_a_damaged_archive_of_classes_only_costs_time(tmp_path: Path, java: Java) -> None:
    (tmp_path / "damaged.aot").write_bytes(b"damaged")
    with Kafka(tmp_path / "data", java=replace(java, archive=tmp_path / "damaged.aot")) as kafka:
        assert kafka.alive()


def test_an_archive_is_used(tmp_path: Path, java: Java) -> None:
    """HotSpot says nothing of an archive that fits, and warns of one that does not."""
    with Kafka(tmp_path / "data", java=java) as kafka:
        assert java.archive
        assert java.archive.stat().st_size > 0
        assert "[aot" not in kafka.log.read_text()


def test_archives_of_environments_that_are_in_use_stay(tmp_path: Path) -> None:
    """Two checkouts on one machine took each other's away, and prepared Kafka anew at every start."""
    for name in ("in-use.aot", "gone.aot"):
        (tmp_path / name).touch()
    os.utime(tmp_path / "gone.aot", (0, time.time() - 2 * UNUSED_S))
    _remove_unused(tmp_path, time.time())
    assert [path.name for path in tmp_path.iterdir()] == ["in-use.aot"]


def test_variables_for_other_java_programs_do_not_reach_ours() -> None:
    assert environment({"JAVA_TOOL_OPTIONS": "-Xmx1m", "CLASSPATH": "x", "HOME": "/"}) == {"HOME": "/", "LC_ALL": "C.UTF-8"}
