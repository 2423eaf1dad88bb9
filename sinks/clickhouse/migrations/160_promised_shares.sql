-- What share of its promises a district means to keep: alerts, dashboards and the page measure by the directory alone.

CREATE TABLE IF NOT EXISTS promised_shares ${ON_CLUSTER}
(
    revision UInt64 COMMENT 'Revision of the directory',
    district LowCardinality(String) COMMENT 'Tenant; empty for any that has no row',
    promised_share Float64 COMMENT 'Share of promises that is to be kept, between 0 and 1'
)
ENGINE = ${REPLICATED}ReplacingMergeTree
ORDER BY (revision, district)
COMMENT 'What share of its promises a district means to keep';
