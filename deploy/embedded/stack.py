"""Kafka and ClickHouse together, in one data folder: up, down, and how they are.

`up` leaves both running when the caller ends, and `stack.json` in the folder says where: ports, pids, times of creation. It starts
what is missing and touches nothing that runs. Used as a context manager, both end with the caller, however it ends.
"""

import fcntl
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Literal, Self, TypeVar

import psutil

from deploy.embedded import Unavailable
from deploy.embedded.clickhouse import ClickHouseProgram, ClickHouseServer, password, program_for
from deploy.embedded.clickhouse.program import DATA
from deploy.embedded.kafka import Kafka
from deploy.embedded.kafka import holder as kafka_holder
from deploy.embedded.lock import exclusive
from deploy.embedded.process import Child, Identity, find

NAMES = ("kafka", "clickhouse")
PRIVATE = 0o700
"""Mode of the data folder: what districts' contacts are is nobody else's, and neither is the password."""

Result = TypeVar("Result")
State = Literal["running", "stopped", "died"]
Progress = Callable[[str], None]
Server = Kafka | ClickHouseServer


@dataclass(frozen=True)
class ServerRecord:
    """One server that was started: its process, its ports by name and which program it is, as `stack.json` keeps them."""

    pid: int
    created: float
    ports: Mapping[str, int]
    program: str

    @property
    def identity(self) -> Identity:
        return Identity(self.pid, self.created)


@dataclass(frozen=True)
class Status:
    """How one server is: `died` is one that ended without being asked to. `log` is where it says why."""

    name: str
    state: State
    pid: int | None
    ports: Mapping[str, int]
    program: str
    log: Path


class Stack:
    """The two servers of the data folder. ClickHouse is the named program, that of the PATH for None, or the embedded one for ''."""

    def __init__(self, data: Path, clickhouse: str | None = "") -> None:
        self.data = data.absolute()
        self._clickhouse = clickhouse
        self.file = self.data / "stack.json"
        self._foreground: dict[str, Server] = {}

    def up(self, progress: Progress = lambda _: None) -> list[Status]:
        """Have both servers running, to stay when the caller ends. Those that run already are left alone.

        Raises `Unavailable` when one cannot be started; what this call had started is stopped then.
        """
        with self._alone():
            running = {name: record for name, record in self._records().items() if find(record.identity)}
            servers = self._servers(progress)
            missing = {name: server for name, server in servers.items() if name not in running}
            self._stop_strays(missing)
            self._write(running | _started(missing, outlive=True, progress=progress))
        return self.status()

    def down(self, progress: Progress = lambda _: None) -> list[str]:
        """Stop both servers in order, and return the names of those that ran. Data stays."""
        if not self.data.exists():
            return []
        with self._alone():
            running = {name: child for name, record in self._records().items() if (child := find(record.identity))}
            _at_once(lambda name: _stopped(name, running[name], progress), running)
            strays = self._stop_strays(name for name in NAMES if name not in running)
            self._write({})
        return [*running, *strays]

    def status(self) -> list[Status]:
        """Tell how each server is, from its process and not from what was written down."""
        records = self._records()
        return [self._status(name, records.get(name)) for name in NAMES]

    @property
    def kafka_bootstrap(self) -> str:
        """host:port of the running Kafka. Raises `Unavailable` when the stack is not up."""
        return f"127.0.0.1:{self._record('kafka').ports['plaintext']}"

    @property
    def clickhouse_port(self) -> int:
        """The port of ClickHouse's native protocol."""
        return self._record("clickhouse").ports["native"]

    @property
    def clickhouse_password_file(self) -> Path:
        """The file with the password of ClickHouse's user, default."""
        return self.data / "clickhouse" / password.NAME

    def __enter__(self) -> Self:
        """Start both in the foreground. Raises `Unavailable` when they run already."""
        return self.foreground()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        servers, self._foreground = self._foreground, {}
        _at_once(lambda name: servers[name].stop(), servers)
        self._write({})

    def foreground(self, progress: Progress = lambda _: None) -> Self:
        """Start both so that they end with the caller; what `with` does, but with progress. Leave by `with` all the same."""
        if self._foreground:
            return self
        with self._alone():
            if any(find(record.identity) for record in self._records().values()):
                raise Unavailable(
                    f"the servers of {self.data} are already up: end them with `frontdesk down`, or choose another data folder"
                )
            servers = self._servers(progress)
            self._stop_strays(servers)
            self._write(_started(servers, outlive=False, progress=progress))
            self._foreground = servers
        return self

    def _servers(self, progress: Progress) -> dict[str, Server]:
        folder, password_file = self.data / "clickhouse", self.clickhouse_password_file
        program = program_for(folder, self._clickhouse)
        clickhouse = ClickHouseProgram(folder, program, password_file) if program else ClickHouseServer(folder, password_file=password_file)
        return {"kafka": Kafka(self.data / "kafka", progress=progress), "clickhouse": clickhouse}

    def _status(self, name: str, record: ServerRecord | None) -> Status:
        log = self.data / name / f"{name}.log"
        if record is None:
            return Status(name, "stopped", None, {}, "", log)
        return Status(name, "running" if find(record.identity) else "died", record.pid, record.ports, record.program, log)

    def _record(self, name: str) -> ServerRecord:
        record = self._records().get(name)
        if record is None or not find(record.identity):
            raise Unavailable(f"{name} of {self.data} is not running: start it with `frontdesk up`")
        return record

    def _records(self) -> dict[str, ServerRecord]:
        if not self.file.exists():
            return {}
        try:
            return {name: ServerRecord(**fields) for name, fields in json.loads(self.file.read_text()).items()}
        except (ValueError, TypeError, AttributeError) as error:
            raise Unavailable(f"{self.file} is damaged: delete it, and the servers it named are found again") from error

    def _write(self, records: Mapping[str, ServerRecord]) -> None:
        new = self.file.with_suffix(".new")
        new.write_text(json.dumps({name: asdict(record) for name, record in records.items()}, indent=1))
        new.replace(self.file)

    def _stop_strays(self, names: Iterable[str]) -> list[str]:
        """Stop servers of this folder that nobody wrote down: whoever started them was killed on the way."""
        strays = {name: child for name in names if (child := _stray(name, self.data / name))}
        for child in strays.values():
            child.stop()
        return list(strays)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        held = f"another `frontdesk up` or `down` is at work in {self.data}: wait until it is done"
        try:
            self.data.mkdir(parents=True, exist_ok=True, mode=PRIVATE)
            self.data.chmod(PRIVATE)
            with exclusive(self.data / "stack.lock", 0, held):
                yield
        except OSError as error:
            place = error.filename or self.data
            raise Unavailable(f"cannot use {place}: {error.strerror}; make {self.data} yours, or choose another data folder") from error


def _started(servers: Mapping[str, Server], *, outlive: bool, progress: Progress) -> dict[str, ServerRecord]:
    """Start the servers at once; if one fails, stop the others again and raise what it raised."""

    def start(name: str) -> ServerRecord:
        progress(f"starting {name}")
        server = servers[name]
        server.start(outlive=outlive)
        progress(f"{name} is up")
        return ServerRecord(server.identity.pid, server.identity.created, _ports(server), server.program)

    try:
        return _at_once(start, servers)
    except BaseException:
        for server in servers.values():
            server.stop()
        raise


def _ports(server: Server) -> dict[str, int]:
    return {"plaintext": server.port} if isinstance(server, Kafka) else {"native": server.native_port}


def _at_once(work: Callable[[str], Result], names: Iterable[str]) -> dict[str, Result]:
    """Do the work for every name in a thread of its own. All have ended when it returns, or raises what the first of them raised."""
    with ThreadPoolExecutor() as pool:
        futures = {name: pool.submit(work, name) for name in names}
    return {name: future.result() for name, future in futures.items()}


def _stopped(name: str, child: Child, progress: Progress) -> None:
    progress(f"stopping {name}")
    child.stop()


def _stray(name: str, folder: Path) -> Child | None:
    """Find the process that works in the server's folder, by the lock that each server holds on its own."""
    pid = kafka_holder(folder) if name == "kafka" else _clickhouse_holder(folder)
    try:
        return Child(psutil.Process(pid)) if pid else None
    except psutil.NoSuchProcess:
        return None


def _clickhouse_holder(folder: Path) -> int | None:
    """Read who locked the folder, the embedded ClickHouse or a program. The files stay after a crash; the locks do not."""
    for file in (folder / "door.lock", folder / DATA / "status"):
        if file.exists():
            with file.open() as lock:
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    pid = re.search("[0-9]+", lock.read())
                    return int(pid[0]) if pid else None
    return None
