-- The score of each cell over 28 days, 0..100: as a rule half satisfaction, a quarter each for responses and resolutions, with what
-- each contributes and a 90 % interval. Under 10 ratings there is no score, and the reason stands beside it.
CREATE OR REPLACE VIEW scores AS
WITH
    10 AS fewest,
    1.6448536269514722 AS z90,
    100 * (s_weight * s + r_weight * r + q_weight * q) AS plain,
    z90 * 100 * sqrt(pow(s_weight, 2) * s_variance + pow(r_weight, 2) * r_variance + pow(q_weight, 2) * q_variance) AS margin
SELECT
    district, scope, school, department, as_of,
    s_n >= fewest ? plain : NULL AS score,
    s_n >= fewest ? greatest(0., plain - margin) : NULL AS score_low,
    s_n >= fewest ? least(100., plain + margin) : NULL AS score_high,
    s_n >= fewest ? '' : concat('fewer than ', toString(fewest), ' ratings in 28 days') AS score_reason,
    s AS satisfaction_part, r AS response_part, q AS quality_part,
    100 * s_weight * s AS satisfaction_points, 100 * r_weight * r AS response_points, 100 * q_weight * q AS quality_points,
    s_n, r_n, q_n
FROM score_parts;
