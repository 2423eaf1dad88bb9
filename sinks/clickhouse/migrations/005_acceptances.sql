-- What people let pass where the breaker of a partition stands. Workers ask for it while one does.

CREATE TABLE IF NOT EXISTS acceptances ${ON_CLUSTER}
(
    topic_id String COMMENT 'Kafka id of the events topic',
    partition UInt16 COMMENT 'Kafka partition whose breaker stands',
    until UInt64 COMMENT 'Last offset that passes without being judged',
    accepted_at DateTime64(3, 'UTC') DEFAULT now64(3) COMMENT 'When somebody accepted it'
)
ENGINE = ${REPLICATED}MergeTree
ORDER BY (topic_id, partition, until)
COMMENT 'Each flood of refused records that somebody let pass: see frontdesk dead-letters accept';
