-- The directory in full: many schedules, versions with `valid_from`, weights of the score. The tables it replaces are copies
-- of a file, which the next worker or `frontdesk directory apply` writes again.

DROP TABLE IF EXISTS directory_revisions ${ON_CLUSTER} SYNC;
DROP TABLE IF EXISTS openings ${ON_CLUSTER} SYNC;
DROP TABLE IF EXISTS schedules ${ON_CLUSTER} SYNC;
DROP TABLE IF EXISTS targets ${ON_CLUSTER} SYNC;

CREATE TABLE IF NOT EXISTS directory_revisions ${ON_CLUSTER}
(
    revision UInt64 COMMENT 'Grows with every change of the directory',
    content_hash String COMMENT 'Hash of the directory as it was read, and of the tables of time zones and holidays that it uses',
    content String CODEC(ZSTD(3)) COMMENT 'The directory as a file: JSON, which is YAML too',
    written_at DateTime64(3, 'UTC') DEFAULT now64(3) COMMENT 'When its last row was written'
)
ENGINE = ${REPLICATED}ReplacingMergeTree(written_at)
ORDER BY revision
COMMENT 'Revisions of the directory that are here in full';

CREATE TABLE IF NOT EXISTS openings ${ON_CLUSTER}
(
    schedule String COMMENT 'Hash of all that this schedule has here: a revision that changes nothing in it adds no rows',
    opens_at DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)) COMMENT 'An open interval begins',
    closes_at DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)) COMMENT 'It ends',
    open_before_ms Int64 CODEC(Delta, ZSTD(1)) COMMENT 'Open milliseconds of the schedule before this interval'
)
ENGINE = ${REPLICATED}ReplacingMergeTree
ORDER BY (schedule, opens_at)
COMMENT 'When schedules are open: business time between two instants is a difference of two look-ups';

CREATE TABLE IF NOT EXISTS schedules ${ON_CLUSTER}
(
    revision UInt64 COMMENT 'Revision of the directory',
    district LowCardinality(String) COMMENT 'Tenant; empty for any',
    department LowCardinality(String) COMMENT 'Department of the contact; empty for any',
    school LowCardinality(String) COMMENT 'School of the contact; empty for any',
    valid_from DateTime64(3, 'UTC') COMMENT 'In force for what is received from then on; 1970 for always',
    schedule String COMMENT 'Schedule of such contacts; the most specific row in force counts, by district, department, school; of two alike the later'
)
ENGINE = ${REPLICATED}ReplacingMergeTree
ORDER BY (revision, district, department, school, valid_from)
COMMENT 'Which schedule a contact runs on';

CREATE TABLE IF NOT EXISTS targets ${ON_CLUSTER}
(
    revision UInt64 COMMENT 'Revision of the directory',
    district LowCardinality(String) COMMENT 'Tenant; empty for any',
    department LowCardinality(String) COMMENT 'Department of the contact; empty for any',
    priority LowCardinality(String) COMMENT 'Priority of the contact; empty for any',
    audience LowCardinality(String) COMMENT 'Audience of the contact; empty for any',
    channel LowCardinality(String) COMMENT 'Channel of the contact; empty for any',
    valid_from DateTime64(3, 'UTC') COMMENT 'In force for what is received from then on; 1970 for always',
    response_ms Nullable(Int64) COMMENT 'Time to respond, milliseconds; null where nothing is promised',
    response_clock LowCardinality(String) COMMENT 'business or calendar; none where nothing is promised, empty where a less specific row counts',
    resolution_ms Nullable(Int64) COMMENT 'Time to resolve, milliseconds; null where nothing is promised',
    resolution_clock LowCardinality(String) COMMENT 'business or calendar; none where nothing is promised, empty where a less specific row counts'
)
ENGINE = ${REPLICATED}ReplacingMergeTree
ORDER BY (revision, district, department, priority, audience, channel, valid_from)
COMMENT 'What is promised to a contact; the most specific row in force counts, by district, department, priority, audience, channel; of two alike the later';

CREATE TABLE IF NOT EXISTS score_weights ${ON_CLUSTER}
(
    revision UInt64 COMMENT 'Revision of the directory',
    district LowCardinality(String) COMMENT 'Tenant; empty for any that has no row',
    valid_from DateTime64(3, 'UTC') COMMENT 'In force from then on; 1970 for always',
    satisfaction Float64 COMMENT 'Weight of satisfaction in the score, 0 to 1',
    response Float64 COMMENT 'Weight of responses in time',
    resolution Float64 COMMENT 'Weight of resolutions in time and never reopened',
    m Float64 COMMENT 'How many answers the prior weighs as much as'
)
ENGINE = ${REPLICATED}ReplacingMergeTree
ORDER BY (revision, district, valid_from)
COMMENT 'What the score of a district is made of';

ALTER TABLE districts ${ON_CLUSTER}
    ADD COLUMN IF NOT EXISTS nces_id String DEFAULT '' COMMENT 'NCES id; empty where the directory has none',
    ADD COLUMN IF NOT EXISTS route LowCardinality(String) DEFAULT '' COMMENT 'Whom alerts go to';

ALTER TABLE schools ${ON_CLUSTER}
    ADD COLUMN IF NOT EXISTS nces_id String DEFAULT '' COMMENT 'NCES id; empty where the directory has none',
    ADD COLUMN IF NOT EXISTS level LowCardinality(String) DEFAULT '' COMMENT 'preschool, elementary, middle, high, other, or empty';

ALTER TABLE departments ${ON_CLUSTER}
    ADD COLUMN IF NOT EXISTS route LowCardinality(String) DEFAULT '' COMMENT 'Whom alerts go to';
