-- What anybody was given to see, as it was given. Kept, so that copies of a month that were taken on different days are the same copy: their
-- difference could be one person. Rows are only ever added; a release is one insert, so no reader sees a part of one.

CREATE TABLE IF NOT EXISTS releases
(
    district LowCardinality(String) COMMENT 'Tenant',
    month Date COMMENT 'First day of the month; its weeks are those whose Thursday lies in it',
    acted_at DateTime64(3, 'UTC') COMMENT 'When it was released or withdrawn, by the clock of ClickHouse',
    act LowCardinality(String) COMMENT 'released (a row for each cell), or withdrawn (one row, without numbers)',
    scope LowCardinality(String) COMMENT 'district, school or department',
    period LowCardinality(String) COMMENT 'month or week',
    school LowCardinality(String) COMMENT 'Empty where the scope has none',
    department LowCardinality(String) COMMENT 'Empty where the scope has none',
    district_name String COMMENT 'Name for people, as of then',
    school_name String COMMENT 'Name for people, as of then',
    department_name String COMMENT 'Name for people, as of then',
    first_day Date COMMENT 'Monday on which the period begins',
    last_day Date COMMENT 'Sunday on which it ends',
    suppressed UInt8 COMMENT '1: the cell has fewer than 10 people, or is hidden beside one that has',
    stakeholders Nullable(UInt64) COMMENT 'Distinct people who wrote; null where hidden',
    contacts Nullable(UInt64) COMMENT 'Questions received; null where hidden',
    response_p50_ms Nullable(Int64) COMMENT 'Median time to first response, calendar; null where hidden',
    response_p50_business_ms Nullable(Int64) COMMENT 'Median time to first response, open hours; null where hidden',
    response_compliance Nullable(Float64) COMMENT 'Share of responses in time; null where hidden',
    resolution_p50_ms Nullable(Int64) COMMENT 'Median time to first resolution, calendar; null where hidden',
    resolution_p50_business_ms Nullable(Int64) COMMENT 'Median time to first resolution, open hours; null where hidden',
    resolution_compliance Nullable(Float64) COMMENT 'Share of resolutions in time; null where hidden',
    csat Nullable(Float64) COMMENT 'Share of ratings in the top two of five; null where hidden'
)
ENGINE = MergeTree
ORDER BY (district, month, acted_at, scope, period, first_day, school, department)
COMMENT 'Months that were published, each as it was then, and what was taken back';
