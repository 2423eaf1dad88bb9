-- The directory, for names in answers and for checking deadlines in SQL. All rows of a revision are written before any
-- reader sees it (directory_revisions comes last); readers take the newest revision there.

CREATE TABLE IF NOT EXISTS directory_revisions
(
    revision UInt64 COMMENT 'Grows with every change of the directory',
    content_hash String COMMENT 'Hash of the directory as it was read, and of the tables of time zones and holidays that it uses',
    content String CODEC(ZSTD(3)) COMMENT 'The directory as a file: JSON, which is YAML too',
    written_at DateTime64(3, 'UTC') DEFAULT now64(3) COMMENT 'When its last row was written'
)
ENGINE = ReplacingMergeTree(written_at)
ORDER BY revision
COMMENT 'Revisions of the directory that are here in full';

CREATE TABLE IF NOT EXISTS districts
(
    revision UInt64 COMMENT 'Revision of the directory',
    district LowCardinality(String) COMMENT 'Tenant',
    name String COMMENT 'Name for people',
    zone LowCardinality(String) COMMENT 'IANA time zone',
    nces_id String COMMENT 'NCES id; empty where the directory has none',
    route LowCardinality(String) COMMENT 'Whom alerts go to'
)
ENGINE = ReplacingMergeTree
ORDER BY (revision, district)
COMMENT 'Districts of the directory';

CREATE TABLE IF NOT EXISTS schools
(
    revision UInt64 COMMENT 'Revision of the directory',
    district LowCardinality(String) COMMENT 'Tenant',
    school LowCardinality(String) COMMENT 'School, as events name it',
    name String COMMENT 'Name for people',
    nces_id String COMMENT 'NCES id; empty where the directory has none',
    level LowCardinality(String) COMMENT 'preschool, elementary, middle, high, other, or empty'
)
ENGINE = ReplacingMergeTree
ORDER BY (revision, district, school)
COMMENT 'Schools of the directory';

CREATE TABLE IF NOT EXISTS departments
(
    revision UInt64 COMMENT 'Revision of the directory',
    district LowCardinality(String) COMMENT 'Tenant',
    department LowCardinality(String) COMMENT 'Department, as events name it',
    name String COMMENT 'Name for people',
    route LowCardinality(String) COMMENT 'Whom alerts go to'
)
ENGINE = ReplacingMergeTree
ORDER BY (revision, district, department)
COMMENT 'Departments of the directory';

CREATE TABLE IF NOT EXISTS openings
(
    schedule String COMMENT 'Hash of all that this schedule has here: a revision that changes nothing in it adds no rows',
    opens_at DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)) COMMENT 'An open interval begins',
    closes_at DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)) COMMENT 'It ends',
    open_before_ms Int64 CODEC(Delta, ZSTD(1)) COMMENT 'Open milliseconds of the schedule before this interval'
)
ENGINE = ReplacingMergeTree
ORDER BY (schedule, opens_at)
COMMENT 'When schedules are open: business time between two instants is a difference of two look-ups';

CREATE TABLE IF NOT EXISTS schedules
(
    revision UInt64 COMMENT 'Revision of the directory',
    district LowCardinality(String) COMMENT 'Tenant; empty for any',
    department LowCardinality(String) COMMENT 'Department of the contact; empty for any',
    school LowCardinality(String) COMMENT 'School of the contact; empty for any',
    valid_from DateTime64(3, 'UTC') COMMENT 'In force for what is received from then on; 1970 for always',
    schedule String COMMENT 'Schedule of such contacts; the most specific row in force counts, by district, department, school; of two alike the later'
)
ENGINE = ReplacingMergeTree
ORDER BY (revision, district, department, school, valid_from)
COMMENT 'Which schedule a contact runs on';

CREATE TABLE IF NOT EXISTS targets
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
ENGINE = ReplacingMergeTree
ORDER BY (revision, district, department, priority, audience, channel, valid_from)
COMMENT 'What is promised to a contact; the most specific row in force counts, by district, department, priority, audience, channel; of two alike the later';

CREATE TABLE IF NOT EXISTS score_weights
(
    revision UInt64 COMMENT 'Revision of the directory',
    district LowCardinality(String) COMMENT 'Tenant; empty for any that has no row',
    valid_from DateTime64(3, 'UTC') COMMENT 'In force from then on; 1970 for always',
    satisfaction Float64 COMMENT 'Weight of satisfaction in the score, 0 to 1',
    response Float64 COMMENT 'Weight of responses in time',
    resolution Float64 COMMENT 'Weight of resolutions in time and never reopened',
    m Float64 COMMENT 'How many answers the prior weighs as much as'
)
ENGINE = ReplacingMergeTree
ORDER BY (revision, district, valid_from)
COMMENT 'What the score of a district is made of';

CREATE TABLE IF NOT EXISTS promised_shares
(
    revision UInt64 COMMENT 'Revision of the directory',
    district LowCardinality(String) COMMENT 'Tenant; empty for any that has no row',
    promised_share Float64 COMMENT 'Share of promises that is to be kept, between 0 and 1'
)
ENGINE = ReplacingMergeTree
ORDER BY (revision, district)
COMMENT 'What share of its promises a district means to keep';
