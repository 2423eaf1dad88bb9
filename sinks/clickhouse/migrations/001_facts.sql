-- What happened (events) and what is known of it (cases). Rows are absolute and carry a version that is a function of
-- the log, so that a row written twice, late, or by two workers is the same row. Both are partitioned by a column that is
-- in the key and never changes: ReplacingMergeTree does not merge across partitions. No TTL unless an operator sets one.

CREATE TABLE IF NOT EXISTS events
(
    district LowCardinality(String) COMMENT 'Tenant',
    subject String COMMENT 'Case: one conversation, unique within the district',
    source LowCardinality(String) COMMENT 'CloudEvents source: the publishing system',
    id String COMMENT 'CloudEvents id, unique within its source',
    kind LowCardinality(String) COMMENT 'contact, reply, resolution or rating',
    time DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)) COMMENT 'When it happened',
    school LowCardinality(String) COMMENT 'School that it names; empty where none',
    department LowCardinality(String) COMMENT 'Department that it names; empty where none',
    stakeholder String COMMENT 'Contact: pseudonym of who wrote; empty where unknown',
    audience LowCardinality(String) COMMENT 'Contact: family, student, staff, community, other; empty where unknown',
    channel LowCardinality(String) COMMENT 'Contact: web, email, phone, text, chat, walk_in, social, other; empty where unknown',
    language LowCardinality(String) COMMENT 'Contact: BCP 47 language; empty where unknown',
    topic LowCardinality(String) COMMENT 'Contact: slug of what it is about; empty where unknown',
    priority LowCardinality(String) COMMENT 'Contact: routine, urgent, critical; empty where not a contact',
    needs_reply Bool COMMENT 'Contact: whether an answer is expected; false where not a contact',
    author String COMMENT 'Reply: pseudonym of who answered; empty where unknown',
    author_kind LowCardinality(String) COMMENT 'Reply: human or automatic; empty where not a reply',
    visibility LowCardinality(String) COMMENT 'Reply: public or internal; empty where not a reply',
    outcome LowCardinality(String) COMMENT 'Resolution: resolved, no_action, duplicate, spam; empty where not a resolution',
    score Float64 COMMENT 'Rating: on the scale from worst to best; 0 where not a rating',
    worst Float64 COMMENT 'Rating: lower end of the scale; 0 where not a rating',
    best Float64 COMMENT 'Rating: upper end of the scale; 0 where not a rating',
    partition UInt16 COMMENT 'Kafka partition of the record',
    offset UInt64 CODEC(Delta, ZSTD(1)) COMMENT 'Kafka offset of the record',
    produced_at DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)) COMMENT 'Kafka timestamp of the record',
    backfill Bool COMMENT 'Whether the record was sent as backfill',
    version UInt128 CODEC(ZSTD(1)) COMMENT 'epoch << 112 | (offset + 1) << 48 | directory revision',
    content_hash UInt64 DEFAULT cityHash64(kind, time, school, department, stakeholder, audience, channel, language, topic, priority,
        needs_reply, author, author_kind, visibility, outcome, score, worst, best)
        COMMENT 'Tells the contents of one id apart: both sides of a conflict stay',
    ingested_at DateTime64(3, 'UTC') DEFAULT now64(3) CODEC(Delta, ZSTD(1)) COMMENT 'When the row was written'
)
ENGINE = ReplacingMergeTree(version)
PARTITION BY toYYYYMM(time)
PRIMARY KEY (district, subject, source, id)
ORDER BY (district, subject, source, id, time, content_hash)
COMMENT 'Every accepted event: the archive that everything else can be computed from';

CREATE TABLE IF NOT EXISTS cases
(
    district LowCardinality(String) COMMENT 'Tenant',
    opened_at DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)) COMMENT 'Time of the first event of the episode',
    subject String COMMENT 'Case: one conversation, unique within the district',
    episode String COMMENT 'Source, space, id of the event that opened the episode',
    school LowCardinality(String) COMMENT 'School of the opening contact; empty where none',
    department LowCardinality(String) COMMENT 'Department of the opening contact; empty where none',
    stakeholder String COMMENT 'Pseudonym of who opened it; empty where unknown',
    audience LowCardinality(String) COMMENT 'family, student, staff, community, other; empty where unknown',
    channel LowCardinality(String) COMMENT 'web, email, phone, text, chat, walk_in, social, other; empty where unknown',
    language LowCardinality(String) COMMENT 'BCP 47 language; empty where unknown',
    topic LowCardinality(String) COMMENT 'Slug of what it is about; empty where unknown',
    priority LowCardinality(String) COMMENT 'routine, urgent, critical; empty where no contact is known',
    needs_reply Bool COMMENT 'Whether the opening contact expects an answer',
    status LowCardinality(String) COMMENT 'open, answered, resolved or spam',
    received_at Nullable(DateTime64(3, 'UTC')) COMMENT 'Time of the opening contact; null where no contact is known',
    first_response_at Nullable(DateTime64(3, 'UTC')) COMMENT 'First public reply by a human; null where none',
    responded_school LowCardinality(String) COMMENT 'School that responded; empty where none',
    responded_department LowCardinality(String) COMMENT 'Department that responded; empty where none',
    response_warn_at Nullable(DateTime64(3, 'UTC')) COMMENT '80 % of the time to respond has passed; null without a target',
    response_due_at Nullable(DateTime64(3, 'UTC')) COMMENT 'Deadline of the first response; null without a target',
    answered_at Nullable(DateTime64(3, 'UTC')) COMMENT 'Earlier of first response and first resolution; null where neither',
    turns_n UInt32 COMMENT 'Answered turns of the conversation',
    turns_sum_ms UInt64 COMMENT 'Sum of the waits of answered turns, milliseconds',
    waiting_since Nullable(DateTime64(3, 'UTC')) COMMENT 'Oldest unanswered contact that needs a reply; null where nobody waits',
    first_resolved_at Nullable(DateTime64(3, 'UTC')) COMMENT 'First resolution; null where none',
    resolved_at Nullable(DateTime64(3, 'UTC')) COMMENT 'Last resolution; null where none, or where a later contact undid it',
    resolved_school LowCardinality(String) COMMENT 'School that resolved; empty where not resolved or none named',
    resolved_department LowCardinality(String) COMMENT 'Department that resolved; empty where not resolved or none named',
    outcome LowCardinality(String) COMMENT 'Outcome of the last resolution; empty where none',
    reopens UInt32 COMMENT 'Resolutions undone by a later contact, or followed by a reply and another resolution',
    resolution_warn_at Nullable(DateTime64(3, 'UTC')) COMMENT '80 % of the time to resolve has passed; null without a target',
    resolution_due_at Nullable(DateTime64(3, 'UTC')) COMMENT 'Deadline of the resolution; null without a target',
    rating Nullable(Float64) COMMENT 'Last rating, 0 worst to 1 best; null where none',
    rated_at Nullable(DateTime64(3, 'UTC')) COMMENT 'When it was rated; null where it was not',
    contacts UInt32 COMMENT 'Contact events',
    replies UInt32 COMMENT 'Public replies by humans',
    resolutions UInt32 COMMENT 'Resolution events',
    response_ms Nullable(Int64) COMMENT 'Receipt to first response, calendar milliseconds',
    response_business_ms Nullable(Int64) COMMENT 'Receipt to first response, milliseconds of open hours',
    first_resolution_ms Nullable(Int64) COMMENT 'Receipt to first resolution, calendar milliseconds',
    first_resolution_business_ms Nullable(Int64) COMMENT 'Receipt to first resolution, milliseconds of open hours',
    resolution_ms Nullable(Int64) COMMENT 'Receipt to the resolution that holds, calendar milliseconds',
    resolution_business_ms Nullable(Int64) COMMENT 'Receipt to the resolution that holds, milliseconds of open hours',
    conflicts UInt32 COMMENT 'Events of the case that came with another content under the same id',
    partition UInt16 COMMENT 'Kafka partition of the district',
    last_offset UInt64 COMMENT 'Largest Kafka offset that named the case',
    directory_revision UInt64 COMMENT 'Revision of the directory that the deadlines come from',
    is_deleted UInt8 COMMENT '1 where the episode no longer exists under this key',
    version UInt128 CODEC(ZSTD(1)) COMMENT 'epoch << 112 | (largest offset that named the case + 1) << 48 | directory revision'
)
ENGINE = ReplacingMergeTree(version, is_deleted)
PARTITION BY toYYYYMM(opened_at)
ORDER BY (district, opened_at, subject, episode)
COMMENT 'Each question (episode) of each case: what is known of it, absolute. Read FINAL; never OPTIMIZE ... CLEANUP';
