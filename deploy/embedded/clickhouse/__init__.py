"""ClickHouse from PyPI: the engine `chdb` in a process of its own, behind the native protocol that a server speaks.

There is no HTTP, which every web page could speak. clickhouse-driver, clickhouse-go and Grafana's plugin connect; each client has
an engine session of its own. The rest of the project holds it by `ClickHouseServer` and sees a server; `ClickHouseProgram` is a real one.
"""

from deploy.embedded.clickhouse.handle import ClickHouseServer
from deploy.embedded.clickhouse.program import ClickHouseProgram, program_for

__all__ = ["ClickHouseProgram", "ClickHouseServer", "program_for"]
