-- The events of one partition, each once (of two contents of an id, the least), in the order of their case, with the
-- number of the episode that each belongs to: 0 for what came before any contact. Only whole cases: those asked for.
CREATE TEMPORARY TABLE verify_events AS
WITH
    14 * 24 * 3600 * 1000 AS fourteen_days,
    each_once AS
    (
        SELECT
            district, subject, source, id, toUnixTimestamp64Milli(time) AS t,
            toUInt8(indexOf(['contact', 'reply', 'resolution', 'rating'], kind)) AS k,
            school, department, stakeholder, audience, channel, language, topic, priority, needs_reply,
            author_kind = 'human' AND visibility = 'public' AS answers, outcome, score, worst, best,
            count() OVER (PARTITION BY district, subject, source, id) > 1 AS conflicting
        FROM events FINAL
        WHERE partition = %(partition)s AND (%(all_cases)s OR (district, subject) IN verify_cases)
        ORDER BY
            district, subject, source, id, t, k, school, department, stakeholder, audience, channel, language, topic,
            priority, needs_reply, author, author_kind, visibility, outcome, score, worst, best
        LIMIT 1 BY district, subject, source, id
    ),
    after_contacts AS
    (
        SELECT *, countIf(k = 1) OVER earlier AS contacts_before, maxIf(t, k = 1) OVER earlier AS last_contact
        FROM each_once
        WINDOW earlier AS (PARTITION BY district, subject ORDER BY t, k, source, id ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
    ),
    after_resolutions AS
    (
        SELECT
            *,
            countIf(k = 3 AND contacts_before > 0) OVER earlier AS resolutions_before,
            maxIf(t, k = 3 AND contacts_before > 0) OVER earlier AS last_resolution
        FROM after_contacts
        WINDOW earlier AS (PARTITION BY district, subject ORDER BY t, k, source, id ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
    )
SELECT
    district, subject, source, id, t, k, school, department, stakeholder, audience, channel, language, topic, priority,
    needs_reply, answers, outcome, (score - worst) / (best - worst) AS rating, conflicting,
    -- the first contact of all opens an episode, and so does the first one that comes long after a resolution
    countIf(
        k = 1 AND (contacts_before = 0 OR (resolutions_before > 0 AND t - last_resolution > fourteen_days AND last_contact - last_resolution <= fourteen_days))
    ) OVER (PARTITION BY district, subject ORDER BY t, k, source, id ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS number
FROM after_resolutions
