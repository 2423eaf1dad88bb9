"""A real ClickHouse server in the place of the embedded engine, where the machine has its program.

To whoever starts and asks it, it is the same: the folder, a port on the loopback address only, the user `default` with what it may do, the
password. Its data lie in a folder of their own, because neither reads what the other wrote: so a data folder stays with what began it.
"""

import hashlib
import os
import shutil
from pathlib import Path
from xml.sax.saxutils import escape

from clickhouse_driver import Client
from clickhouse_driver.errors import NetworkError, SocketTimeoutError

from deploy.embedded import Unavailable
from deploy.embedded.clickhouse.config import DEFAULT_MEMORY_BYTES, ENGINE, GRANTS, TEMPORARY
from deploy.embedded.clickhouse.handle import ClickHouseServer
from deploy.embedded.port import HOST, chosen
from deploy.embedded.process import Child, Failed

NAME = "clickhouse"
DATA = "server"
"""In the data folder: what the server keeps."""

LOOK_S = 2
CONFIG = """<clickhouse>
  <logger><level>warning</level><console>true</console></logger>
  <listen_host>{host}</listen_host>
  <tcp_port>{port}</tcp_port>
  <path>{data}/</path>
  <tmp_path>{temporary}/</tmp_path>
  <user_files_path>{nowhere}/</user_files_path>
  <format_schema_path>{nowhere}/</format_schema_path>
  <timezone>UTC</timezone>
  <max_server_memory_usage>{memory_bytes}</max_server_memory_usage>
  <mark_cache_size>67108864</mark_cache_size>
  <default_profile>default</default_profile>
  <default_database>default</default_database>
  <users_config>{users}</users_config>
</clickhouse>
"""
USERS = """<clickhouse>
  <profiles><default/></profiles>
  <quotas><default/></quotas>
  <users><default>
    <password_sha256_hex>{password}</password_sha256_hex><networks><ip>{host}</ip></networks><profile>default</profile><quota>default</quota>
    <grants><query>{grants}</query></grants>
  </default></users>
</clickhouse>
"""


def program_for(data: Path, named: str | None) -> str:
    """The program that serves a data folder: the named one, or the PATH's where none is; '' is the embedded engine.

    Raises `Unavailable` where the data there are the other one's.
    """
    program = shutil.which(NAME) or "" if named is None else named
    if program and (data / ENGINE).exists():
        if named is None:
            return ""
        raise Unavailable(
            f"{data} has data of the embedded ClickHouse, which {program} cannot read: "
            "set FRONTDESK_CLICKHOUSE_PROGRAM=none, or choose another data folder"
        )
    if not program and (data / DATA).exists():
        raise Unavailable(
            f"{data} has data of a ClickHouse program, which the embedded one cannot read: "
            "name the program in FRONTDESK_CLICKHOUSE_PROGRAM, or choose another data folder"
        )
    return program


class ClickHouseProgram(ClickHouseServer):
    """The server that `program` is, with a password always."""

    def __init__(self, data: Path, program: str, password_file: Path) -> None:
        super().__init__(data, password_file=password_file)
        self.program = program
        self._password = password_file

    def _command(self) -> list[str | Path]:
        """Its configuration is written anew at each start."""
        self.native_port = chosen(["native"], {"native": self._wanted_port()})["native"]
        config, users = self.data / "server.xml", self.data / "server.users.xml"
        hashed = hashlib.sha256(self._password.read_bytes()).hexdigest()
        users.touch(mode=0o600)
        users.write_text(USERS.format(password=hashed, host=HOST, grants=GRANTS))
        places = {"data": DATA, "temporary": TEMPORARY, "nowhere": "nowhere", "users": users.name}
        paths = {name: escape(str(self.data / place)) for name, place in places.items()}
        config.write_text(CONFIG.format(host=HOST, port=self.native_port, memory_bytes=DEFAULT_MEMORY_BYTES, **paths), "utf-8")
        (self.data / DATA).mkdir(exist_ok=True)
        return [self.program, "server", f"--config-file={config}"]

    def _environment(self) -> dict[str, str]:
        """Without the process that ClickHouse lets watch over itself: the one that is started is the server."""
        return {**os.environ, "CLICKHOUSE_WATCHDOG_ENABLE": "0"}

    def _is_ready(self, child: Child, before: int) -> bool:  # noqa: ARG002 - the embedded engine, whose signature it is, needs both
        try:
            with Client(HOST, port=self.native_port, password=self._password.read_text(), connect_timeout=LOOK_S) as client:
                return bool(client.execute("SELECT 1"))
        except (NetworkError, SocketTimeoutError, EOFError):
            return False

    def _plainly(self, failure: Failed) -> Unavailable:
        return failure
