-- The events of some districts of one partition, each once (of two contents of an id, the least), in the order of their case, with the
-- number of the episode that each belongs to: 0 for what came before any contact. Only whole cases: those asked for.
--
-- A case that was forgotten begins anew with whatever comes next. Whether it was forgotten by then is up to the worker, but rows
-- tell: all episodes of a case are written with each of its records, so rows of two lives end at two offsets. They count as two
-- only where the case may have been forgotten, after 100 days without a record (99 here: a publisher's clock is not the worker's).
-- Episodes of a second life are numbered from 10,001 (no case has so many), of a third from 20,001; what came before any contact
-- of these has -1, -2.
CREATE TEMPORARY TABLE verify_events AS
WITH
    14 * 24 * 3600 * 1000 AS fourteen_days,
    99 * 24 * 3600 * 1000 AS forgotten_after,
    ends AS
    (
        SELECT district, subject, arrayPopBack(arraySort(groupUniqArray(last_offset))) AS ends
        FROM cases FINAL
        WHERE is_deleted = 0 AND partition = %(partition)s AND district BETWEEN %(first)s AND %(last)s AND (%(all_cases)s OR (district, subject) IN verify_cases)
        GROUP BY district, subject
        HAVING notEmpty(ends)
    ),
    births AS
    (
        SELECT district, subject, groupArray(offset) AS births
        FROM
        (
            SELECT
                district, subject, offset, produced, arrayCount(end -> end < offset, ends) AS life,
                max(life) OVER earlier AS life_before, max(greatest(produced, happened)) OVER earlier AS last_heard
            FROM
            (
                SELECT
                    e.district AS district, e.subject AS subject, e.offset AS offset, ends,
                    toUnixTimestamp64Milli(e.produced_at) AS produced, toUnixTimestamp64Milli(e.time) AS happened
                FROM
                (
                    SELECT * FROM events FINAL
                    WHERE partition = %(partition)s AND district BETWEEN %(first)s AND %(last)s
                        AND (district, subject) IN (SELECT district, subject FROM ends)
                ) AS e
                INNER JOIN ends USING (district, subject)
            )
            WINDOW earlier AS (PARTITION BY district, subject ORDER BY offset ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
        )
        WHERE life > life_before AND produced - last_heard > forgotten_after
        GROUP BY district, subject
    ),
    told AS
    (
        SELECT e.*, toInt64(arrayCount(birth -> birth <= e.offset, births)) AS life
        FROM
        (
            SELECT * FROM events FINAL
            WHERE partition = %(partition)s AND district BETWEEN %(first)s AND %(last)s
                AND (%(all_cases)s OR (district, subject) IN verify_cases)
        ) AS e
        LEFT JOIN births USING (district, subject)
    ),
    each_once AS
    (
        SELECT
            district, subject, life, source, id, toUnixTimestamp64Milli(time) AS t,
            toUInt8(indexOf(%(kinds)s, kind)) AS k,
            school, department, stakeholder, audience, channel, language, topic, priority, needs_reply,
            author_kind = 'human' AND visibility = 'public' AS answers, outcome, score, worst, best,
            count() OVER (PARTITION BY district, subject, life, source, id) > 1 AS conflicting
        FROM told
        ORDER BY
            district, subject, life, source, id, t, k, school, department, stakeholder, audience, channel, language, topic,
            priority, needs_reply, author, author_kind, visibility, outcome, score, worst, best
        LIMIT 1 BY district, subject, life, source, id
    ),
    after_contacts AS
    (
        SELECT
            *,
            countIf(k = 1) OVER earlier AS contacts_before,
            maxIf(t, k = 1) OVER earlier AS last_contact,
            maxIf(t, k = 1 AND needs_reply) OVER earlier AS last_ask
        FROM each_once
        WINDOW earlier AS (PARTITION BY district, subject, life ORDER BY t, k, source, id ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
    ),
    after_resolutions AS
    (
        SELECT
            *,
            countIf(k = 3 AND contacts_before > 0) OVER earlier AS resolutions_before,
            maxIf(t, k = 3 AND contacts_before > 0) OVER earlier AS last_resolution
        FROM after_contacts
        WINDOW earlier AS (PARTITION BY district, subject, life ORDER BY t, k, source, id ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
    )
SELECT
    district, subject, source, id, t, k, school, department, stakeholder, audience, channel, language, topic, priority,
    needs_reply, answers, outcome, (score - worst) / (best - worst) AS rating, conflicting,
    -- the first contact of all opens an episode, and so does the first one that comes long after a resolution that nobody undid
    toInt64(countIf(
        k = 1 AND (contacts_before = 0 OR (
            resolutions_before > 0 AND t - last_resolution > fourteen_days AND last_contact - last_resolution <= fourteen_days
            AND last_ask <= last_resolution
        ))
    ) OVER (PARTITION BY district, subject, life ORDER BY t, k, source, id ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)) AS episode_of_life,
    if(episode_of_life > 0, life * 10000 + episode_of_life, -life) AS number
FROM after_resolutions
