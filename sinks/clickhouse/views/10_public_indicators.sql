-- What anybody may see: the months that were released, each with the numbers that it had then, whatever has come since. Of several
-- releases the first counts, and none from before it was withdrawn. Null is what is hidden. It reads with its owner's rights, so that a
-- public reader needs the right to this view alone.
CREATE OR REPLACE VIEW public_indicators DEFINER = CURRENT_USER SQL SECURITY DEFINER AS
SELECT
    district, scope, school, department, district_name, school_name, department_name, period, month, first_day, last_day, suppressed,
    stakeholders, contacts, response_p50_ms, response_p50_business_ms, response_compliance, resolution_p50_ms,
    resolution_p50_business_ms, resolution_compliance, csat, acted_at AS released_at
FROM
(
    SELECT *, min(acted_at) OVER (PARTITION BY district, month) AS first_at
    FROM (SELECT *, maxIf(acted_at, act = 'withdrawn') OVER (PARTITION BY district, month) AS withdrawn_at FROM releases)
    WHERE act = 'released' AND acted_at > withdrawn_at
)
WHERE acted_at = first_at;
