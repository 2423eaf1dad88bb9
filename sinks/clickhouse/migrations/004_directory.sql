-- The directory, for names in answers and for checking deadlines in SQL. All rows of a revision are written before any
-- reader sees it (directory_revisions comes last); readers take the newest revision there.

CREATE TABLE IF NOT EXISTS directory_revisions ${ON_CLUSTER}
(
    revision UInt64 COMMENT 'Grows with every change of the directory',
    content_hash String COMMENT 'Hash of the directory as it was read',
    written_at DateTime64(3, 'UTC') DEFAULT now64(3) COMMENT 'When its last row was written'
)
ENGINE = ${REPLICATED}ReplacingMergeTree(written_at)
ORDER BY revision
COMMENT 'Revisions of the directory that are here in full';

CREATE TABLE IF NOT EXISTS districts ${ON_CLUSTER}
(
    revision UInt64 COMMENT 'Revision of the directory',
    district LowCardinality(String) COMMENT 'Tenant',
    name String COMMENT 'Name for people',
    zone LowCardinality(String) COMMENT 'IANA time zone'
)
ENGINE = ${REPLICATED}ReplacingMergeTree
ORDER BY (revision, district)
COMMENT 'Districts of the directory';

CREATE TABLE IF NOT EXISTS schools ${ON_CLUSTER}
(
    revision UInt64 COMMENT 'Revision of the directory',
    district LowCardinality(String) COMMENT 'Tenant',
    school LowCardinality(String) COMMENT 'School, as events name it',
    name String COMMENT 'Name for people'
)
ENGINE = ${REPLICATED}ReplacingMergeTree
ORDER BY (revision, district, school)
COMMENT 'Schools of the directory';

CREATE TABLE IF NOT EXISTS departments ${ON_CLUSTER}
(
    revision UInt64 COMMENT 'Revision of the directory',
    district LowCardinality(String) COMMENT 'Tenant',
    department LowCardinality(String) COMMENT 'Department, as events name it',
    name String COMMENT 'Name for people'
)
ENGINE = ${REPLICATED}ReplacingMergeTree
ORDER BY (revision, district, department)
COMMENT 'Departments of the directory';

CREATE TABLE IF NOT EXISTS openings ${ON_CLUSTER}
(
    revision UInt64 COMMENT 'Revision of the directory',
    schedule String COMMENT 'Schedule: a number within the revision',
    opens_at DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)) COMMENT 'An open interval begins',
    closes_at DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)) COMMENT 'It ends',
    open_before_ms Int64 CODEC(Delta, ZSTD(1)) COMMENT 'Open milliseconds of the schedule before this interval'
)
ENGINE = ${REPLICATED}ReplacingMergeTree
ORDER BY (revision, schedule, opens_at)
COMMENT 'When schedules are open: business time between two instants is a difference of two look-ups';

CREATE TABLE IF NOT EXISTS schedules ${ON_CLUSTER}
(
    revision UInt64 COMMENT 'Revision of the directory',
    district LowCardinality(String) COMMENT 'Tenant; empty for any',
    department LowCardinality(String) COMMENT 'Department of the contact; empty for any',
    school LowCardinality(String) COMMENT 'School of the contact; empty for any',
    schedule String COMMENT 'Schedule of such contacts; the most specific row counts, by district, department, school'
)
ENGINE = ${REPLICATED}ReplacingMergeTree
ORDER BY (revision, district, department, school)
COMMENT 'Which schedule a contact runs on';

CREATE TABLE IF NOT EXISTS targets ${ON_CLUSTER}
(
    revision UInt64 COMMENT 'Revision of the directory',
    district LowCardinality(String) COMMENT 'Tenant; empty for any',
    department LowCardinality(String) COMMENT 'Department of the contact; empty for any',
    priority LowCardinality(String) COMMENT 'Priority of the contact; empty for any',
    audience LowCardinality(String) COMMENT 'Audience of the contact; empty for any',
    channel LowCardinality(String) COMMENT 'Channel of the contact; empty for any',
    response_ms Nullable(Int64) COMMENT 'Time to respond, milliseconds; null where nothing is promised',
    response_clock LowCardinality(String) COMMENT 'business or calendar',
    resolution_ms Nullable(Int64) COMMENT 'Time to resolve, milliseconds; null where nothing is promised',
    resolution_clock LowCardinality(String) COMMENT 'business or calendar'
)
ENGINE = ${REPLICATED}ReplacingMergeTree
ORDER BY (revision, district, department, priority, audience, channel)
COMMENT 'What is promised to a contact; the most specific row counts, by district, department, priority, audience, channel';
