-- The numbers of every cell and window: the latest (windows), and what they were every quarter of an hour (windows_history).
-- A row is written when its numbers change. Once a quarter of an hour has passed, and before a worker writes a row of a later one, it
-- copies the rows that stand then into the history. That may be done again after a crash: a row says what is, not what to add.
-- Windows are written when they change, so a quiet district's rows are old and right; `progress` tells that from a worker that has stopped.

CREATE TABLE IF NOT EXISTS windows
(
    district LowCardinality(String) COMMENT 'Tenant',
    scope LowCardinality(String) COMMENT 'district, school, department or school_department',
    school LowCardinality(String) COMMENT 'School of the cell; empty where the scope has none',
    department LowCardinality(String) COMMENT 'Department of the cell; empty where the scope has none',
    window Enum8('1h' = 1, '24h' = 2, '7d' = 3, '28d' = 4) COMMENT 'Trailing period',
    as_of DateTime('UTC') COMMENT 'Minute up to which the row counts',
    contact_n UInt64 COMMENT 'Questions received',
    message_n UInt64 COMMENT 'Messages received, follow-ups included',
    stakeholder_n UInt64 COMMENT 'Distinct people who wrote',
    response_n UInt64 COMMENT 'First responses given',
    response_sum_ms UInt64 COMMENT 'Sum of times to first response, calendar milliseconds',
    response_p50_ms Float64 COMMENT 'Median time to first response, calendar milliseconds, within 2.5 %',
    response_p90_ms Float64 COMMENT '90th percentile of the time to first response, calendar milliseconds, within 2.5 %',
    response_sum_business_ms UInt64 COMMENT 'Sum of times to first response, milliseconds of open hours',
    response_p50_business_ms Float64 COMMENT 'Median time to first response, milliseconds of open hours, within 2.5 %',
    response_p90_business_ms Float64 COMMENT '90th percentile of the time to first response, milliseconds of open hours, within 2.5 %',
    response_due_n UInt64 COMMENT 'Response deadlines that passed',
    response_kept_n UInt64 COMMENT 'Of those, answered in time',
    response_missed_n UInt64 COMMENT 'Of those, not answered in time',
    resolution_n UInt64 COMMENT 'Resolutions that hold',
    resolution_sum_ms UInt64 COMMENT 'Sum of times to resolution, calendar milliseconds',
    resolution_p50_ms Float64 COMMENT 'Median time to resolution, calendar milliseconds, within 2.5 %',
    resolution_p90_ms Float64 COMMENT '90th percentile of the time to resolution, calendar milliseconds, within 2.5 %',
    resolution_sum_business_ms UInt64 COMMENT 'Sum of times to resolution, milliseconds of open hours',
    resolution_p50_business_ms Float64 COMMENT 'Median time to resolution, milliseconds of open hours, within 2.5 %',
    resolution_p90_business_ms Float64 COMMENT '90th percentile of the time to resolution, milliseconds of open hours, within 2.5 %',
    resolution_reopened_n UInt64 COMMENT 'Resolutions of questions that had been reopened',
    resolution_due_n UInt64 COMMENT 'Resolution deadlines that passed',
    resolution_kept_n UInt64 COMMENT 'Of those, resolved in time',
    resolution_missed_n UInt64 COMMENT 'Of those, not resolved in time',
    quality_n UInt64 COMMENT 'Resolutions of questions that have a deadline',
    quality_sum UInt64 COMMENT 'Of those, in time and never reopened',
    rating_n UInt64 COMMENT 'Ratings given',
    rating_sum_bp UInt64 COMMENT 'Sum of ratings, ten-thousandths of 0..1',
    rating_sum_squares_bp2 UInt64 COMMENT 'Sum of squared ratings, squared ten-thousandths',
    rating_satisfied_n UInt64 COMMENT 'Ratings of 0.75 and more (top two of five)',
    partition UInt16 COMMENT 'Kafka partition of the district',
    version UInt128 COMMENT 'minute of as_of << 96 | partition offset << 32 | directory revision'
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (district, scope, school, department, window)
COMMENT 'Each cell and trailing window, the latest row: tallies that shares and scores are computed from. Read FINAL';

CREATE TABLE IF NOT EXISTS windows_history
(
    slot DateTime('UTC') CODEC(Delta, ZSTD(1)) COMMENT 'Start of the quarter of an hour whose last row this is',
    district LowCardinality(String) COMMENT 'Tenant',
    scope LowCardinality(String) COMMENT 'district, school, department or school_department',
    school LowCardinality(String) COMMENT 'School of the cell; empty where the scope has none',
    department LowCardinality(String) COMMENT 'Department of the cell; empty where the scope has none',
    window Enum8('1h' = 1, '24h' = 2, '7d' = 3, '28d' = 4) COMMENT 'Trailing period',
    as_of DateTime('UTC') COMMENT 'Minute up to which the row counts',
    contact_n UInt64 COMMENT 'Questions received',
    message_n UInt64 COMMENT 'Messages received, follow-ups included',
    stakeholder_n UInt64 COMMENT 'Distinct people who wrote',
    response_n UInt64 COMMENT 'First responses given',
    response_sum_ms UInt64 COMMENT 'Sum of times to first response, calendar milliseconds',
    response_p50_ms Float64 COMMENT 'Median time to first response, calendar milliseconds, within 2.5 %',
    response_p90_ms Float64 COMMENT '90th percentile of the time to first response, calendar milliseconds, within 2.5 %',
    response_sum_business_ms UInt64 COMMENT 'Sum of times to first response, milliseconds of open hours',
    response_p50_business_ms Float64 COMMENT 'Median time to first response, milliseconds of open hours, within 2.5 %',
    response_p90_business_ms Float64 COMMENT '90th percentile of the time to first response, milliseconds of open hours, within 2.5 %',
    response_due_n UInt64 COMMENT 'Response deadlines that passed',
    response_kept_n UInt64 COMMENT 'Of those, answered in time',
    response_missed_n UInt64 COMMENT 'Of those, not answered in time',
    resolution_n UInt64 COMMENT 'Resolutions that hold',
    resolution_sum_ms UInt64 COMMENT 'Sum of times to resolution, calendar milliseconds',
    resolution_p50_ms Float64 COMMENT 'Median time to resolution, calendar milliseconds, within 2.5 %',
    resolution_p90_ms Float64 COMMENT '90th percentile of the time to resolution, calendar milliseconds, within 2.5 %',
    resolution_sum_business_ms UInt64 COMMENT 'Sum of times to resolution, milliseconds of open hours',
    resolution_p50_business_ms Float64 COMMENT 'Median time to resolution, milliseconds of open hours, within 2.5 %',
    resolution_p90_business_ms Float64 COMMENT '90th percentile of the time to resolution, milliseconds of open hours, within 2.5 %',
    resolution_reopened_n UInt64 COMMENT 'Resolutions of questions that had been reopened',
    resolution_due_n UInt64 COMMENT 'Resolution deadlines that passed',
    resolution_kept_n UInt64 COMMENT 'Of those, resolved in time',
    resolution_missed_n UInt64 COMMENT 'Of those, not resolved in time',
    quality_n UInt64 COMMENT 'Resolutions of questions that have a deadline',
    quality_sum UInt64 COMMENT 'Of those, in time and never reopened',
    rating_n UInt64 COMMENT 'Ratings given',
    rating_sum_bp UInt64 COMMENT 'Sum of ratings, ten-thousandths of 0..1',
    rating_sum_squares_bp2 UInt64 COMMENT 'Sum of squared ratings, squared ten-thousandths',
    rating_satisfied_n UInt64 COMMENT 'Ratings of 0.75 and more (top two of five)',
    partition UInt16 COMMENT 'Kafka partition of the district',
    version UInt128 COMMENT 'minute of as_of << 96 | partition offset << 32 | directory revision'
)
ENGINE = ReplacingMergeTree(version)
PARTITION BY toYYYYMM(slot)
ORDER BY (district, scope, school, department, window, slot)
TTL slot + INTERVAL 90 DAY
SETTINGS ttl_only_drop_parts = 1
COMMENT 'Each cell and window as it was at the end of each quarter of an hour in which it changed; 90 days';

CREATE TABLE IF NOT EXISTS progress
(
    partition UInt16 COMMENT 'Kafka partition',
    as_of DateTime('UTC') COMMENT 'Minute up to which everything of the partition is counted and written',
    next_offset UInt64 COMMENT 'Offset after the last record that is counted',
    version UInt128 COMMENT 'minute of as_of << 96 | next_offset << 32'
)
ENGINE = ReplacingMergeTree(version)
ORDER BY partition
COMMENT 'Each partition of the log, the latest row: up to when its numbers are true. Read FINAL, or the maximum';
