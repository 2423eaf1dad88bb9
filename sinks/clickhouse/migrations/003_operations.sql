-- What was set aside, and which topic the rows come from.

CREATE TABLE IF NOT EXISTS dead_letters ${ON_CLUSTER}
(
    topic_id String COMMENT 'Kafka id of the topic: another one after the topic was deleted and made again',
    topic LowCardinality(String) COMMENT 'Kafka topic of the record',
    partition UInt16 COMMENT 'Kafka partition of the record',
    offset UInt64 COMMENT 'Kafka offset of the record',
    produced_at DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)) COMMENT 'Kafka timestamp of the record',
    reason LowCardinality(String) COMMENT 'Why it was rejected: see docs/schema.md',
    path String COMMENT 'JSON path of what is wrong',
    message String COMMENT 'What is wrong, in words',
    bytes UInt32 COMMENT 'Size of the record; its payload is in the dead-letter topic only',
    state LowCardinality(String) DEFAULT 'open' COMMENT 'open, redriven or discarded',
    changed_at DateTime64(3, 'UTC') DEFAULT now64(3) CODEC(Delta, ZSTD(1)) COMMENT 'When the row was written',
    version UInt64 DEFAULT 0 COMMENT '0 as set aside; milliseconds since the epoch of a later change of state'
)
ENGINE = ${REPLICATED}ReplacingMergeTree(version)
ORDER BY (topic_id, partition, offset)
COMMENT 'Each rejected record, without its payload. Written again after a crash, it does not undo a later change of state';

CREATE TABLE IF NOT EXISTS log ${ON_CLUSTER}
(
    epoch UInt16 COMMENT 'Incarnation of the log; the newest one is in force',
    topic_id String COMMENT 'Kafka id of the events topic',
    partitions UInt16 COMMENT 'Its number of partitions',
    claimed_at DateTime64(3, 'UTC') DEFAULT now64(3) COMMENT 'When the first worker met it'
)
ENGINE = ${REPLICATED}MergeTree
ORDER BY epoch
COMMENT 'The Kafka topic that the rows come from: a worker that finds another one refuses to start';
