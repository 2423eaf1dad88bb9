-- Who sent what was set aside: people look for the publisher that broke the contract.

ALTER TABLE dead_letters ${ON_CLUSTER}
    ADD COLUMN IF NOT EXISTS source LowCardinality(String) DEFAULT '' COMMENT 'Source that the record names, where it can be told; empty where not' AFTER bytes;
