"""The handle by which tests and the command line hold an embedded ClickHouse: start it, find its ports, stop it.

The handle imports nothing of the engine: that lives in the child process, and the parent stays small.
"""

import json
import os
import sys
from pathlib import Path

from deploy.embedded import Unavailable
from deploy.embedded.clickhouse import password
from deploy.embedded.clickhouse.config import ALLOCATOR, TEMPORARY
from deploy.embedded.port import is_free
from deploy.embedded.process import Child, Failed, launch, wait_ready
from deploy.embedded.server import Server

START_S = 60.0
PRIVATE = 0o700
MODULE = "deploy.embedded.clickhouse"
ROOT = Path(__file__).parents[3]


class ClickHouseServer(Server):
    """One ClickHouse in the folder `data`. A port of 0 is the one that it had before, or any free one.

    The one user is `default`, with the password in `password_file`, which is made if it is missing; without the argument, without a
    password, as on a new server.
    """

    name = "ClickHouse"
    program = "embedded"

    def __init__(
        self,
        data: Path,
        native_port: int = 0,
        *,
        password_file: Path | None = None,
        memory_bytes: int | None = None,
    ) -> None:
        super().__init__(data)
        self._wanted = native_port
        self._password_file = password_file
        self._memory_bytes = memory_bytes
        self.native_port = 0
        """Where clickhouse-driver connects, once started."""

    def start(self, *, outlive: bool = False) -> None:
        if self.alive():
            return
        before = self._said()
        try:
            self.data.mkdir(parents=True, exist_ok=True, mode=PRIVATE)
            self.data.chmod(PRIVATE)
            (self.data / TEMPORARY).mkdir(exist_ok=True)
            if self._password_file:
                password.make(self._password_file)
            child = launch(self._command(), self.log, outlive=outlive, environment=self._environment(), folder=ROOT)
        except OSError as error:
            raise Unavailable(f"the data folder {self.data} cannot be written: {error.strerror}") from error
        try:
            wait_ready(child, lambda: self._is_ready(child, before), self.log, name=self.name, within_s=START_S)
        except Failed as failure:
            child.kill()
            raise self._plainly(failure) from failure
        except BaseException:  # Ctrl-C while it starts: nothing is left running
            child.kill()
            raise
        self._child = child
        self._port_file.write_text(str(self.native_port))

    def _command(self) -> list[str | Path]:
        command: list[str | Path] = [sys.executable, "-m", MODULE, "--data", self.data, "--native-port", str(self._wanted_port())]
        if self._password_file:
            command += ["--password-file", self._password_file.absolute()]
        if self._memory_bytes is not None:
            command += ["--memory-bytes", str(self._memory_bytes)]
        return command

    @property
    def _port_file(self) -> Path:
        return self.data / "port"

    def _wanted_port(self) -> int:
        """The wanted port, else that of the last start where it is still free, else 0."""
        before = int(self._port_file.read_text()) if self._port_file.exists() else 0
        return self._wanted or (before if before and is_free(before) else 0)

    def _environment(self) -> dict[str, str]:
        return {**os.environ, **ALLOCATOR, "TMPDIR": str(self.data / TEMPORARY)}

    def _is_ready(self, child: Child, before: int) -> bool:
        """Whether the child has said so; what one that was killed had said counts for nothing, even if it had the same pid."""
        if self._said() == before:
            return False
        ready = json.loads((self.data / "door.json").read_text())
        self.native_port = ready["native_port"]
        return bool(ready["pid"] == child.identity.pid)

    def _said(self) -> int:
        """When the last door in the folder said that it was ready, in nanoseconds; 0 if none did or it has left."""
        try:
            return (self.data / "door.json").stat().st_mtime_ns
        except OSError:
            return 0

    def _plainly(self, failure: Failed) -> Unavailable:
        """The child's own line, where it left one."""
        lines = [line for line in failure.tail.splitlines() if line.startswith("clickhouse: ")]
        return Unavailable(lines[-1].removeprefix("clickhouse: ")) if lines else failure
