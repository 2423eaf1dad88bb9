-- The three indicators in plain words, one row for each cell and window: how many contacted us, how long they waited,
-- how well they were served. Times in milliseconds, calendar and business; shares and ratings 0..1, null where there is
-- nothing to divide by. The score is that of 28 days, whatever the window.
CREATE OR REPLACE VIEW indicators AS
WITH
    (SELECT max(revision) FROM directory_revisions) AS newest,
    (SELECT max(promised_share) FROM promised_shares WHERE revision = newest AND district = '') AS for_any,
    rating_n > 0 ? rating_satisfied_n / rating_n : NULL AS satisfied,
    1.959963984540054 AS z95
SELECT
    w.district AS district,
    w.scope AS scope,
    w.school AS school,
    w.department AS department,
    ds.name = '' ? w.district : ds.name AS district_name,
    sc.name = '' ? w.school : sc.name AS school_name,
    dp.name = '' ? w.department : dp.name AS department_name,
    toString(w.window) AS window,
    w.as_of AS as_of,
    contact_n AS contacts,
    message_n AS messages,
    stakeholder_n AS stakeholders,
    response_n AS responses,
    response_n > 0 ? response_sum_ms / response_n : NULL AS response_mean_ms,
    response_n > 0 ? w.response_p50_ms : NULL AS response_p50_ms,
    response_n > 0 ? w.response_p90_ms : NULL AS response_p90_ms,
    response_n > 0 ? response_sum_business_ms / response_n : NULL AS response_mean_business_ms,
    response_n > 0 ? w.response_p50_business_ms : NULL AS response_p50_business_ms,
    response_n > 0 ? w.response_p90_business_ms : NULL AS response_p90_business_ms,
    response_due_n AS responses_due,
    response_kept_n AS responses_in_time,
    response_due_n > 0 ? response_kept_n / response_due_n : NULL AS response_compliance,
    resolution_n AS resolutions,
    resolution_n > 0 ? resolution_sum_ms / resolution_n : NULL AS resolution_mean_ms,
    resolution_n > 0 ? w.resolution_p50_ms : NULL AS resolution_p50_ms,
    resolution_n > 0 ? w.resolution_p90_ms : NULL AS resolution_p90_ms,
    resolution_n > 0 ? resolution_sum_business_ms / resolution_n : NULL AS resolution_mean_business_ms,
    resolution_n > 0 ? w.resolution_p50_business_ms : NULL AS resolution_p50_business_ms,
    resolution_n > 0 ? w.resolution_p90_business_ms : NULL AS resolution_p90_business_ms,
    resolution_due_n AS resolutions_due,
    resolution_kept_n AS resolutions_in_time,
    resolution_due_n > 0 ? resolution_kept_n / resolution_due_n : NULL AS resolution_compliance,
    resolution_n > 0 ? resolution_reopened_n / resolution_n : NULL AS reopened_share,
    quality_n > 0 ? quality_sum / quality_n : NULL AS quality_share,
    rating_n AS ratings,
    resolution_n > 0 ? rating_n / resolution_n : NULL AS ratings_per_resolution,
    rating_n > 0 ? rating_sum_bp / 1e4 / rating_n : NULL AS rating_mean,
    rating_mean * 10 AS rating_mean_of_10,
    satisfied AS csat,
    -- Wilson's 95 % interval
    (satisfied + z95 * z95 / (2 * rating_n) - z95 * sqrt(satisfied * (1 - satisfied) / rating_n + pow(z95 / (2 * rating_n), 2))) / (1 + z95 * z95 / rating_n) AS csat_low,
    (satisfied + z95 * z95 / (2 * rating_n) + z95 * sqrt(satisfied * (1 - satisfied) / rating_n + pow(z95 / (2 * rating_n), 2))) / (1 + z95 * z95 / rating_n) AS csat_high,
    s.score AS score,
    s.score_low AS score_low,
    s.score_high AS score_high,
    s.s_n = 0 AND s.district = '' ? 'no ratings in 28 days' : s.score_reason AS score_reason,
    s.satisfaction_points AS score_satisfaction_points,
    s.response_points AS score_response_points,
    s.quality_points AS score_quality_points,
    nullIf(ps.promised_share > 0 ? ps.promised_share : for_any, 0) AS promised_share
FROM (SELECT * FROM windows FINAL) AS w
LEFT JOIN scores AS s ON s.district = w.district AND s.scope = w.scope AND s.school = w.school AND s.department = w.department
LEFT JOIN (SELECT district, name FROM districts FINAL WHERE revision = newest) AS ds ON ds.district = w.district
LEFT JOIN (SELECT district, promised_share FROM promised_shares FINAL WHERE revision = newest) AS ps ON ps.district = w.district
LEFT JOIN (SELECT district, school, name FROM schools FINAL WHERE revision = newest) AS sc ON sc.district = w.district AND sc.school = w.school
LEFT JOIN (SELECT district, department, name FROM departments FINAL WHERE revision = newest) AS dp
    ON dp.district = w.district AND dp.department = w.department;
