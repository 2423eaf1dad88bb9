"""Apache Kafka on this machine: one process that is broker and controller (KRaft), with all it knows in one data folder.

Formatted on its first start, durable over restarts and kills, on the ports that it had before where those are still free.
Topics are never made by accident (auto-creation is off). Settings fit one machine: one replica, small buffers, few threads.
"""

import base64
import fcntl
import json
import shutil
import socket
import struct
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from deploy.embedded import Unavailable, jars
from deploy.embedded.java import Java, environment, property_value
from deploy.embedded.listener import CONTROLLER, Certificate, Protocol, certificate, properties
from deploy.embedded.lock import exclusive
from deploy.embedded.port import HOST, chosen, is_free
from deploy.embedded.process import Failed, launch, until, wait_ready
from deploy.embedded.server import Server

LEAST_FREE_BYTES = 1 << 29
"""Kafka stops its log folder for good when the disk is full, so it is not started on one that nearly is."""

START_S = 120.0
REHEARSAL_S = 180.0
"""A start takes seconds; on a machine that is busy with everything else it may take this long."""

UNUSED_S = 30 * 24 * 60 * 60.0
"""An archive (60 MB) that was not used for so long belongs to an environment that is gone."""

ATTEMPTS = 3
"""A port that was free may be taken before Kafka binds it; then other ports are tried."""

SETTINGS = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "auto.create.topics.enable": "false",
    "offsets.topic.replication.factor": "1",
    "offsets.topic.num.partitions": "1",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.num.partitions": "1",
    "transaction.state.log.min.isr": "1",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.num.partitions": "1",
    "share.coordinator.state.topic.min.isr": "1",
    "group.initial.rebalance.delay.ms": "0",
    # After a kill the controller lets the broker register anew when the old session has run out: 9 s as Kafka has it.
    "broker.session.timeout.ms": "2000",
    "broker.heartbeat.interval.ms": "400",
    "num.network.threads": "2",
    "num.io.threads": "4",
    "background.threads": "4",
    "log.cleaner.dedupe.buffer.size": str(16 << 20),
}


class Kafka(Server):
    """One Kafka in the folder `data`. `port` is that of the plain listener: 0 for the one it had before, or any free one.

    `advertised` is the port that clients of the plain listener are told to use, where something in between forwards it to the real one.
    `listeners` adds protocols beside the plain one, `users` (name -> password) are those of SASL/PLAIN. `cache` and `repository` say where
    the jars are kept and come from.
    """

    name = "Kafka"

    def __init__(
        self,
        data: Path,
        port: int = 0,
        *,
        advertised: int = 0,
        listeners: Sequence[Protocol] = (),
        users: Mapping[str, str] | None = None,
        cache: Path | None = None,
        repository: str | None = None,
        java: Java | None = None,
        least_free_bytes: int = LEAST_FREE_BYTES,
        progress: Callable[[str], None] = lambda _: None,
    ) -> None:
        super().__init__(data)
        self._wanted_port = port
        self._advertised = {"PLAINTEXT": advertised} if advertised else {}
        self._protocols: tuple[Protocol, ...] = ("PLAINTEXT", *(each for each in listeners if each != "PLAINTEXT"))
        self._users = dict(users or {})
        self._cache = cache or jars.cache_folder()
        self._repository = repository
        self._java = java
        self._least_free_bytes = least_free_bytes
        self._progress = progress
        self._ports: dict[str, int] = {}

    @property
    def bootstrap(self) -> str:
        """host:port of the plain listener."""
        return self.bootstrap_of("PLAINTEXT")

    def bootstrap_of(self, protocol: Protocol) -> str:
        """host:port of the listener of that protocol."""
        return f"{HOST}:{self._ports[protocol]}"

    @property
    def port(self) -> int:
        """The port of the plain listener, once started."""
        return self._ports["PLAINTEXT"]

    @property
    def authority(self) -> Path:
        """The PEM file by which clients know the TLS listeners."""
        return self._certificate().authority

    def start(self, *, outlive: bool = False) -> None:
        if self.alive():
            return
        with (
            _plainly(self.data),
            exclusive(self.data / "start.lock", 0, f"another Kafka is being started in {self.data}: let it, or end it"),
        ):
            self._check_folder()
            java = self._java or installed(self._cache, self._repository, self._progress)
            self._start(java, outlive=outlive)

    def _start(self, java: Java, *, outlive: bool) -> None:
        for attempt in range(1, ATTEMPTS + 1):
            self._choose_ports()
            self._configure()
            self._format(replace(java, rehearsal=None))
            try:
                self._serve(java, outlive=outlive)
            except Failed as failure:
                if "Address already in use" not in failure.tail or self._wanted_port or attempt == ATTEMPTS:
                    raise
            else:
                return

    def _check_folder(self) -> None:
        free = shutil.disk_usage(self.data).free
        if free < self._least_free_bytes:
            raise Unavailable(
                f"the disk of {self.data} has {free >> 20} MB free and Kafka needs {self._least_free_bytes >> 20} MB: "
                "free some, or choose a data folder on another disk"
            )
        other = holder(self.data)
        if other:
            raise Unavailable(f"another Kafka (process {other}) works in {self.data}: stop it first, or choose another data folder")

    # Java is told names in its working folder, not paths: Kafka takes a comma in `log.dirs` for the end of one folder of several.
    @property
    def _logs(self) -> Path:
        return self.data / "log"

    @property
    def _properties(self) -> Path:
        return self.data / "server.properties"

    def _choose_ports(self) -> None:
        if self._wanted_port and not is_free(self._wanted_port):
            raise Unavailable(f"port {self._wanted_port} is taken by another program: stop it, or let Kafka choose a port (0)")
        file = self.data / "ports.json"
        before: dict[str, int] = json.loads(file.read_text()) if file.exists() else {}
        wanted = before | ({"PLAINTEXT": self._wanted_port} if self._wanted_port else {})
        self._ports = chosen((*self._protocols, CONTROLLER), wanted)
        _write(file, json.dumps(before | self._ports))

    def _certificate(self) -> Certificate:
        return certificate(self.data / "tls")

    def _configure(self) -> None:
        tls = self._certificate() if any(name.endswith("SSL") for name in self._protocols) else None
        settings = SETTINGS | properties(self._ports, self._users, tls, self._advertised)
        settings |= {"controller.quorum.voters": f"1@{HOST}:{self._ports[CONTROLLER]}", "log.dirs": self._logs.name}
        _write(self._properties, "".join(f"{name}={property_value(value)}\n" for name, value in settings.items()))

    def _format(self, java: Java) -> None:
        """Give a new folder its cluster id and first metadata. Kafka writes meta.properties last, so half a format is done again."""
        if (self._logs / "meta.properties").exists():
            return
        log = self.data / "format.log"
        child = launch(
            java.command(
                "kafka.tools.StorageTool", "format", "--ignore-formatted", f"--cluster-id={_cluster_id()}", "-c", self._properties.name
            ),
            log,
            outlive=False,
            environment=environment(),
            folder=self.data,
        )
        if not until(lambda: not child.alive(), START_S):
            child.kill()
        if not (self._logs / "meta.properties").exists():
            raise Failed(f"Kafka cannot format {self._logs}", log, telling)

    def _serve(self, java: Java, *, outlive: bool) -> None:
        command = java.command("kafka.Kafka", self._properties.name)
        self._child = launch(command, self.log, outlive=outlive, environment=environment(), folder=self.data)
        try:
            wait_ready(self._child, lambda: answers(self.port), self.log, name=self.name, within_s=START_S, telling=telling)
        except BaseException:
            self.kill()
            raise


def installed(cache: Path, repository: str | None = None, progress: Callable[[str], None] = lambda _: None) -> Java:
    """Have Kafka's jars, verified, and the archive of their classes, made by one rehearsal; what both need of time is spent once."""
    java = Java(jars.fetched(jars.locked(), cache, repository=repository, progress=progress))
    archive = cache / java.archive_name()
    with exclusive(cache / "archive.lock", REHEARSAL_S * 2, f"another process has been preparing Kafka in {cache} for long: end it"):
        if not archive.exists():
            progress("preparing Kafka for quick starts (15 s, once)")
            _rehearse(java, archive)
        archive.touch()
    return replace(java, archive=archive)


def _rehearse(java: Java, archive: Path) -> None:
    """Run Kafka once, in a folder of its own, and keep the classes that it loaded; archives that nobody has used for long go.

    Not the others: each environment has its own, and two that are used in turn must not take each other's away at every start.
    Where the runtime wrote none, an empty one stands for it, which HotSpot ignores: starts are slower, and no rehearsal is made again.
    """
    folder = archive.parent / "rehearsal"
    _remove(folder)
    written = folder / "kafka.aot"
    kafka = Kafka(folder, java=replace(java, rehearsal=written))
    kafka.start()
    kafka.stop(REHEARSAL_S)
    _remove_unused(archive.parent, time.time())
    if not written.exists():
        written.touch()
    written.replace(archive)
    _remove(folder)


def _remove_unused(folder: Path, now: float) -> None:
    for archive in folder.glob("*.aot"):
        if now - archive.stat().st_mtime > UNUSED_S:
            archive.unlink()


def _remove(folder: Path) -> None:
    if folder.exists():
        shutil.rmtree(folder)


def answers(port: int, patience_s: float = 0.5) -> bool:
    """Whether a broker serves requests on the plain listener: it answers ApiVersions (key 18, version 0, KIP-35)."""
    request = struct.pack(">hhih", 18, 0, 1, -1)
    try:
        with socket.create_connection((HOST, port), patience_s) as connection:
            connection.settimeout(patience_s)
            connection.sendall(struct.pack(">i", len(request)) + request)
            return len(connection.recv(8)) > 0
    except OSError:
        return False


def telling(line: str) -> bool:
    """Whether a line of Kafka's log may say why it failed: neither a frame of a stack trace nor one of its many notes."""
    return bool(line) and not line.startswith("\t") and " INFO " not in line


def holder(data: Path) -> int | None:
    """Find the pid of the Kafka that works in the data folder, by Kafka's own lock. A lock file that a crash left means nothing."""
    lock = data / "log" / ".lock"
    if not lock.exists():
        return None
    with lock.open("r+b") as file:
        asked = struct.pack("hhqqi", fcntl.F_WRLCK, 0, 0, 0, 0)
        kind, _, _, _, pid = struct.unpack("hhqqi", fcntl.fcntl(file, fcntl.F_GETLK, asked))
    return None if kind == fcntl.F_UNLCK else int(pid)


def _cluster_id() -> str:
    """Make an id as Kafka does: 16 random bytes in URL-safe base64, not starting with a dash."""
    return base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=").replace("-", "A")


def _write(file: Path, text: str) -> None:
    """Write whole or not at all, for the owner's eyes only: passwords may be in it."""
    new = file.with_name(f"{file.name}.new")
    new.touch(mode=0o600)
    new.write_text(text, "utf-8")
    new.replace(file)


@contextmanager
def _plainly(data: Path) -> Iterator[None]:
    """Tell what the file system refuses in one sentence."""
    try:
        yield
    except OSError as error:
        raise Unavailable(
            f"cannot use {error.filename or data}: {error.strerror}; make the folder {data} yours, or choose another data folder"
        ) from error
