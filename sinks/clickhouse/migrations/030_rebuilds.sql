-- Each time that the tables were made anew beside the old ones: how far it is, so that one that was interrupted goes on.

CREATE TABLE IF NOT EXISTS rebuilds ${ON_CLUSTER}
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
ENGINE = ${REPLICATED}ReplacingMergeTree(version)
ORDER BY number
COMMENT 'Each rebuild of the tables and how far it is; the one with the largest number counts';
