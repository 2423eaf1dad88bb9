-- The topic that the rows come from, what was set aside of it, which floods people let pass, and how far each rebuild is.

CREATE TABLE IF NOT EXISTS log
(
    epoch UInt16 COMMENT 'Incarnation of the log; the newest one is in force',
    topic_id String COMMENT 'Kafka id of the events topic',
    partitions UInt16 COMMENT 'Its number of partitions',
    claimed_at DateTime64(3, 'UTC') DEFAULT now64(3) COMMENT 'When the first worker met it'
)
ENGINE = MergeTree
ORDER BY epoch
COMMENT 'The Kafka topic that the rows come from: a worker that finds another one refuses to start';

CREATE TABLE IF NOT EXISTS dead_letters
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
    source LowCardinality(String) COMMENT 'Source that the record names, where it can be told; empty where not',
    state LowCardinality(String) DEFAULT 'open' COMMENT 'open, redriven or discarded',
    changed_at DateTime64(3, 'UTC') DEFAULT now64(3) CODEC(Delta, ZSTD(1)) COMMENT 'When the row was written',
    version UInt64 DEFAULT 0 COMMENT '0 as set aside; milliseconds since the epoch of a later change of state'
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (topic_id, partition, offset)
COMMENT 'Each rejected record, without its payload. Written again after a crash, it does not undo a later change of state';

CREATE TABLE IF NOT EXISTS acceptances
(
    topic_id String COMMENT 'Kafka id of the events topic',
    partition UInt16 COMMENT 'Kafka partition whose breaker stands',
    until UInt64 COMMENT 'Last offset that passes without being judged',
    accepted_at DateTime64(3, 'UTC') DEFAULT now64(3) COMMENT 'When somebody accepted it'
)
ENGINE = MergeTree
ORDER BY (topic_id, partition, until)
COMMENT 'Each flood of refused records that somebody let pass: see frontdesk dead-letters accept';

CREATE TABLE IF NOT EXISTS rebuilds
(
    number UInt32 COMMENT 'Counts rebuilds',
    state LowCardinality(String) COMMENT 'building, built, switching, switched, dropped or abandoned',
    source LowCardinality(String) COMMENT 'Where events are read: events (the archive), topic, log (a new topic, by a worker), or log+events (the archive sent to it, too)',
    database String COMMENT 'Where the new tables are made; the old ones are there once they are switched',
    epoch UInt16 COMMENT 'Incarnation of the log that the rows are of',
    topic_id String COMMENT 'Kafka id of the events topic',
    directory_revision UInt64 COMMENT 'Revision of the directory that the rows come from',
    fold UInt16 COMMENT 'Version of the fold that the rows come from',
    offsets Array(UInt64) COMMENT 'By partition: what the workers had committed when it began; later records are theirs',
    clocks Array(Int64) COMMENT 'By partition: milliseconds since the epoch up to which windows count',
    read_to Array(UInt64) COMMENT 'By partition: up to where the topic has been read; empty where nothing was',
    done_to String COMMENT 'Districts up to this one, by name, are done',
    done UInt64 COMMENT 'Events that are done',
    total UInt64 COMMENT 'Events that there are to do',
    tables Map(String, String) COMMENT 'UUID of each new table, by name: tells whether it has been switched',
    owner String COMMENT 'Host and process that is at work',
    changed_at DateTime64(3, 'UTC') DEFAULT now64(3) COMMENT 'When the row was written',
    version UInt64 COMMENT 'Grows with each change'
)
ENGINE = ReplacingMergeTree(version)
ORDER BY number
COMMENT 'Each rebuild of the tables and how far it is; the one with the largest number counts';
