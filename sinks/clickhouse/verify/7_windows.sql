-- The numbers of each cell and window as of each district's newest row: what every fact contributes, where, at which minute,
-- added up by place, then by cell. Percentiles are exact here (nearest rank).
CREATE TEMPORARY TABLE verify_windows AS
WITH
    contributions AS
    (
        WITH
            {contributed}
        SELECT
            district, m.2 AS place, m.1 AS measure, '' AS who,
            intDiv(toUnixTimestamp64Milli(assumeNotNull(m.3)), 60000) AS minute, ifNull(m.4, 0) AS a, ifNull(m.5, 0) AS b
        FROM verify_facts
        ARRAY JOIN arrayFilter(x -> x.3 IS NOT NULL, measures) AS m
        WHERE received_at IS NOT NULL AND status != 'spam'
        UNION ALL
        SELECT district, (school, department), 'message', m.2, intDiv(m.1, 60000), 0, 0
        FROM verify_facts
        ARRAY JOIN messages AS m
        WHERE received_at IS NOT NULL AND status != 'spam'
    ),
    ends AS
    (
        SELECT district, intDiv(toUnixTimestamp(max(as_of)), 60) AS minute
        FROM windows FINAL
        WHERE partition = %(partition)s AND district BETWEEN %(first)s AND %(last)s
        GROUP BY district
    ),
    -- panes of (minutes, how many): those > floor(as_of / pane) - n are in
    spans AS
    (
        SELECT district, minute AS last, w.1 AS window, (intDiv(minute, w.2) - w.3 + 1) * w.2 AS first
        FROM ends
        ARRAY JOIN [('1h', 1, 60), ('24h', 15, 96), ('7d', 120, 84), ('28d', 720, 56)] AS w
    ),
    places AS
    (
        SELECT
            c.district AS district, c.place.1 AS school, c.place.2 AS department, s.window AS window,
            {places}
        FROM contributions AS c
        INNER JOIN spans AS s ON s.district = c.district
        WHERE c.minute BETWEEN s.first AND s.last
        GROUP BY district, school, department, window
    ),
    cells AS
    (
        SELECT
            district, cell.1 AS scope, cell.2 AS school, cell.3 AS department, window,
            {cells}
        FROM places
        ARRAY JOIN arrayFilter(x -> x.4, {scopes}) AS cell
        GROUP BY district, scope, school, department, window
    )
SELECT
    district, scope, school, department, window, {shown}
FROM cells
