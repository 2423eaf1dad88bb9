"""Every setting of Frontdesk in one frozen object, read from `FRONTDESK_…` once and passed down.

The defaults are those of the embedded stack; `frontdesk up` writes the ports that it chose into its data folder, and
the command line fills them in where nobody set them.
"""

from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """Settings of one process. Unknown `FRONTDESK_…` names are an error, so that a typing slip is not ignored."""

    model_config = SettingsConfigDict(env_prefix="FRONTDESK_", frozen=True, extra="forbid")

    kafka_bootstrap: str = Field("127.0.0.1:9092", description="host:port of brokers, separated by commas")
    kafka_security: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    kafka_sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = "PLAIN"
    kafka_user: str = ""
    kafka_password: SecretStr = SecretStr("")
    kafka_ca_file: Path | None = Field(None, description="certificate authority of the brokers; the system's where absent")
    kafka_replication: int = Field(1, ge=1, le=9, description="replicas of topics that Frontdesk makes")

    topic: str = Field("frontdesk.events", description="topic of the events")
    dead_letter_topic: str = "frontdesk.dead-letters"
    breach_topic: str = "frontdesk.breaches"
    changelog_topic: str = "frontdesk-cases-changelog"
    partitions: int = Field(8, ge=1, le=1024, description="partitions of the topics that Frontdesk makes")
    group: str = Field("frontdesk", description="Kafka consumer group of the workers")

    clickhouse_host: str = "127.0.0.1"
    clickhouse_port: int = Field(9000, ge=1, le=65535, description="native protocol")
    clickhouse_user: str = "default"
    clickhouse_password: SecretStr = SecretStr("")
    clickhouse_database: str = Field("frontdesk", pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")
    clickhouse_secure: bool = False
    clickhouse_ca_file: Path | None = None

    directory: Path | None = Field(None, description="YAML file with schedules and targets; built-in defaults where absent")
    clock: Literal["wall", "record"] = Field("wall", description="what moves a partition's clock: see docs/architecture.md")
    session_timeout_s: float = Field(30.0, gt=0, le=300, description="after this silence the group gives a worker's partitions away")
    metrics_port: int = Field(0, ge=0, le=65535, description="Prometheus port of a worker; 0 for none")
    folder: Path = Field(Path(".frontdesk"), description="folder of the embedded servers")
    log_format: Literal["auto", "console", "json"] = "auto"
