-- Up to when the numbers of a partition are complete. Windows are written when they change, so a quiet district's rows are
-- old and right; this table tells that from a worker that has stopped.

CREATE TABLE IF NOT EXISTS progress ${ON_CLUSTER}
(
    partition UInt16 COMMENT 'Kafka partition',
    as_of DateTime('UTC') COMMENT 'Minute up to which everything of the partition is counted and written',
    next_offset UInt64 COMMENT 'Offset after the last record that is counted',
    version UInt128 COMMENT 'minute of as_of << 96 | next_offset << 32'
)
ENGINE = ${REPLICATED}ReplacingMergeTree(version)
ORDER BY partition
COMMENT 'Each partition of the log, the latest row: up to when its numbers are true. Read FINAL, or the maximum';
