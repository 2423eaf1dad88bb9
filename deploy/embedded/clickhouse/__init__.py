"""ClickHouse from PyPI: the engine `chdb` in a process of its own, behind the doors that a server has.

A native-protocol door for clickhouse-driver and clickhouse-go, an HTTP door for curl, clickhouse-connect and Grafana; one
engine session for each client. The rest of the project holds it by `ClickHouseServer` and sees a server.
"""

from deploy.embedded.clickhouse.handle import ClickHouseServer
from deploy.embedded.clickhouse.users import User

__all__ = ["ClickHouseServer", "User"]
