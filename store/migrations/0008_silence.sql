-- What silence has been told of each referral, which step is owed, and the holidays announced since.

DROP VIEW worklist, owed_answers;

ALTER TABLE referral_list
    ADD COLUMN told    text[] NOT NULL DEFAULT '{}',  -- rungs of the ladder told of the steps still owed
    ADD COLUMN told_at timestamptz;                   -- when it came to be as late as it is
ALTER TABLE shadow.referral_list
    ADD COLUMN told    text[] NOT NULL DEFAULT '{}',
    ADD COLUMN told_at timestamptz;

-- The step that a partner owes next, as far as it has a due date; for want of one, the completion.
CREATE FUNCTION owed_step(status text, dues jsonb) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN dues ? step THEN step ELSE 'complete' END
    FROM (VALUES (CASE status WHEN 'SENT' THEN 'ack' WHEN 'ACKNOWLEDGED' THEN 'accept' WHEN 'ACCEPTED' THEN 'start'
                  ELSE 'complete' END)) AS owed (step)
$$;

CREATE VIEW owed_answers AS
SELECT r.*, s.number, owed_step(r.status, r.dues) AS step,
       (r.dues ->> owed_step(r.status, r.dues))::timestamptz AS due
FROM referral_list r
JOIN streams s USING (stream_id)
WHERE r.status IN ('SENT', 'ACKNOWLEDGED', 'ACCEPTED', 'IN_PROGRESS');

COMMENT ON VIEW owed_answers IS 'Who owes us an answer, about what, until when';

-- What people look at. Deadlines come from the heads, which know them; a case waits for the answer that is due first.
CREATE VIEW worklist AS
SELECT c.*, s.next_due AS next_deadline, s.open,
       CASE WHEN c.phase = 'CLOSED' THEN ''
            WHEN owed.kind IS NOT NULL THEN 'PARTNER.' || owed.kind
            WHEN cardinality(c.holds) > 0 THEN 'HOLD.' || c.holds[1]
            ELSE 'STAFF' END AS waiting_on
FROM case_list c
JOIN streams s USING (stream_id)
LEFT JOIN LATERAL (
    SELECT r.kind FROM referral_list r
    WHERE r.stream_id = c.stream_id AND r.status IN ('SENT', 'ACKNOWLEDGED', 'ACCEPTED', 'IN_PROGRESS')
    ORDER BY r.dues ->> owed_step(r.status, r.dues), r.kind, r.referral_id LIMIT 1
) AS owed ON true;

CREATE VIEW escalation_digest AS
SELECT (told_at AT TIME ZONE 'Africa/Tripoli')::date AS day, partner_id, kind, timeliness,
       count(*) AS referrals, min(told_at) AS since
FROM referral_list
WHERE timeliness IN ('ESCALATED_L2', 'ESCALATED_L3')
GROUP BY 1, 2, 3, 4;

COMMENT ON VIEW escalation_digest IS
    'A day''s digest: by partner and kind (the public one), how many referrals nobody answers that came so far that day';

CREATE TABLE holidays (
    country      text NOT NULL CHECK (country ~ '^[A-Z]{3}$'),
    day          date NOT NULL,
    name         text NOT NULL,
    announced_at timestamptz NOT NULL DEFAULT awda_now(),
    PRIMARY KEY (country, day)
);

COMMENT ON TABLE holidays IS 'Days on which a country''s offices are closed, announced since the calendars were published';

GRANT SELECT ON worklist, owed_answers, escalation_digest, holidays TO awda_app, awda_reader;
GRANT INSERT (country, day, name) ON holidays TO awda_app;
