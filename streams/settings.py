"""Every setting of Frontdesk in one frozen object, read from `FRONTDESK_…` once and passed down.

The defaults are those of the embedded stack; `frontdesk up` writes the ports that it chose into its data folder, and
the command line fills them in where nobody set them.
"""

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from streams.host import authority
from streams.setting_kinds import (
    Brokers,
    Certificates,
    ClusterName,
    DatabaseName,
    FilePlace,
    Folder,
    FolderThere,
    Host,
    Hosts,
    Program,
    ReadableFile,
    TopicName,
)


class Settings(BaseSettings):
    """Settings of one process. Unknown `FRONTDESK_…` names are an error, so that a typing slip is not ignored."""

    model_config = SettingsConfigDict(env_prefix="FRONTDESK_", frozen=True, extra="forbid")

    kafka_bootstrap: Brokers = Field("127.0.0.1:9092", description="host:port of brokers, separated by commas")
    kafka_security: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field("PLAINTEXT", description="protocol of the brokers")
    kafka_sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = Field("PLAIN", description="how the user is known")
    kafka_user: str = Field("", description="where kafka_security is SASL_…")
    kafka_password: SecretStr = Field(SecretStr(""), description="where kafka_security is SASL_…")
    kafka_ca_file: Certificates | None = Field(None, description="certificate authority of the brokers; the system's where absent")
    kafka_replication: int = Field(1, ge=1, le=9, description="replicas of topics that Frontdesk makes")

    topic: TopicName = Field("frontdesk.events", description="topic of the events")
    dead_letter_topic: TopicName = Field("frontdesk.dead-letters", description="topic of the records that were set aside")
    breach_topic: TopicName = Field("frontdesk.breaches", description="topic for promises that were not kept")
    changelog_topic: TopicName = Field("frontdesk-cases-changelog", description="compacted topic of the workers' state")
    partitions: int = Field(8, ge=1, le=1024, description="partitions of the topics that Frontdesk makes")
    group: TopicName = Field("frontdesk", description="Kafka consumer group of the workers")

    clickhouse_host: Host = Field("127.0.0.1", description="name or address of ClickHouse")
    clickhouse_port: int = Field(9000, ge=1, le=65535, description="port of the native protocol; with TLS mostly 9440")
    clickhouse_user: str = Field("default", min_length=1, description="who may read and write the database")
    clickhouse_password: SecretStr = Field(SecretStr(""), description="of that user; for the embedded ClickHouse, what `frontdesk up` made")
    clickhouse_database: DatabaseName = Field("frontdesk", description="database of all tables")
    clickhouse_cluster: ClusterName = Field("", description="cluster of replicas on which tables are made; empty for one server")
    clickhouse_secure: bool = Field(False, description="TLS")
    clickhouse_ca_file: Certificates | None = Field(None, description="certificate authority of ClickHouse; the usual ones where absent")
    clickhouse_program: Program | None = Field(
        None,
        description="ClickHouse that `frontdesk up` starts; absent: the PATH's `clickhouse`; `none`, or no such: the embedded",
    )

    directory: ReadableFile | None = Field(None, description="YAML file with schedules and targets; built-in defaults where absent")
    clock: Literal["wall", "record"] = Field("wall", description="what moves a partition's clock: see docs/architecture.md")
    session_timeout_s: float = Field(
        30.0, ge=6, le=300, description="after this silence the group gives a worker's partitions away; brokers mostly refuse under 6"
    )
    metrics_host: Host = Field(
        "127.0.0.1", description="address on which metrics of a worker or the page are answered, and a worker's health; 0.0.0.0 for all"
    )
    metrics_port: int = Field(0, ge=0, le=65535, description="Prometheus port of a worker or of the page; 0 for none")
    metric_cells: int = Field(
        5_000, ge=1, le=100_000, description="most districts, schools and departments that a worker has metrics of; beyond, districts only"
    )
    intake_host: Host = Field("127.0.0.1", description="address that `frontdesk intake` listens on; others than this machine's need tokens")
    intake_port: int = Field(8080, ge=0, le=65535, description="port of `frontdesk intake`; 0 lets the system choose")
    intake_tokens: FilePlace | None = Field(None, description="file of who may publish through the intake; `frontdesk token` writes it")
    intake_memory_mib: int = Field(32, ge=4, le=4096, description="MiB that requests under way may hold; then the intake answers 503")
    intake_hooks: FolderThere | None = Field(None, description="folder of mappings of other systems' webhooks: NAME.yaml for /hooks/NAME")
    pseudonym_key: ReadableFile | None = Field(None, description="file with the key of pseudonyms, for mappings of exports and webhooks")
    page_host: Host = Field("127.0.0.1", description="where `frontdesk page` listens; beyond this machine only with page_token or --public")
    page_port: int = Field(8780, ge=0, le=65535, description="port of the page; 0 for any that is free")
    page_token: SecretStr = Field(SecretStr(""), description="what browsers have to know to see the page")
    stale_after_s: float = Field(
        150.0, ge=60, le=86_400, description="so long after the minute up to which numbers are true they are stale"
    )
    http_hosts: Hosts = Field(
        "",
        description="names, separated by commas, by which metrics, health and the public page may be asked for beside this machine's own",
    )
    folder: Folder = Field(Path(".frontdesk"), description="folder of the embedded servers, and of what imports remember")
    log_format: Literal["auto", "console", "json"] = Field("auto", description="of a worker; auto: console at a terminal, else JSON")

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        """What each setting for itself cannot know. Raises ValueError."""
        if self.kafka_security.startswith("SASL") and not self.kafka_user:
            raise ValueError(f"FRONTDESK_KAFKA_USER: FRONTDESK_KAFKA_SECURITY is {self.kafka_security}, so name the user")
        names = [self.topic, self.dead_letter_topic, self.breach_topic, self.changelog_topic]
        if len(set(names)) < len(names):
            raise ValueError(
                "FRONTDESK_TOPIC, FRONTDESK_DEAD_LETTER_TOPIC, FRONTDESK_BREACH_TOPIC and FRONTDESK_CHANGELOG_TOPIC are one and the same "
                "twice: give each a name of its own"
            )
        return self

    @property
    def allowed_hosts(self) -> frozenset[str]:
        """`http_hosts` one by one, as the policy of the doors compares them."""
        return frozenset(named.host for name in self.http_hosts.split(",") if (named := authority(name.strip())) is not None)
