"""Kafka clients of our own, outside the worker's consumer group: topics, offsets, reading the log, publishing."""

from streams.kafka.backlog import Backlog, backlog
from streams.kafka.claim_check import MOST_BESIDE, ClaimCheck, Value, checked, claim_check, has_small_headers, is_copied
from streams.kafka.client import administration, client_options, idempotent_producer, reader
from streams.kafka.group import begin_again, committed_offsets, has_members, has_offset
from streams.kafka.identity import TopicIdentity, topic_identities, topic_identity
from streams.kafka.log_reader import Gap, LogReader, PartitionOffsets
from streams.kafka.publisher import STRUCTURED, STRUCTURED_BACKFILL, Headers, Publisher
from streams.kafka.topics import STATE_BATCH_BYTES, TopicMismatch, changelog_of, ensure_changelog, ensure_topics, forget_changelog

__all__ = [
    "MOST_BESIDE",
    "STATE_BATCH_BYTES",
    "STRUCTURED",
    "STRUCTURED_BACKFILL",
    "Backlog",
    "ClaimCheck",
    "Gap",
    "Headers",
    "LogReader",
    "PartitionOffsets",
    "Publisher",
    "TopicIdentity",
    "TopicMismatch",
    "Value",
    "administration",
    "backlog",
    "begin_again",
    "changelog_of",
    "checked",
    "claim_check",
    "client_options",
    "committed_offsets",
    "ensure_changelog",
    "ensure_topics",
    "forget_changelog",
    "has_members",
    "has_offset",
    "has_small_headers",
    "idempotent_producer",
    "is_copied",
    "reader",
    "topic_identities",
    "topic_identity",
]
