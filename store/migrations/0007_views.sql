-- Read tables: disposable, rebuilt from the log at will. What is sealed in the log never comes here.

CREATE TABLE projections (
    name       text PRIMARY KEY,
    xact       xid8 NOT NULL DEFAULT '0',   -- together with position: the last event of the feed that is in
    position   bigint NOT NULL DEFAULT 0,
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE TABLE case_list (
    stream_id         uuid PRIMARY KEY,
    number            text NOT NULL,
    phase             text NOT NULL,
    stages            jsonb NOT NULL,
    holds             text[] NOT NULL,
    country_of_return text NOT NULL,
    office            text NOT NULL,
    priority          text NOT NULL,
    movement          text,
    opened_at         timestamptz NOT NULL,
    version           bigint NOT NULL,
    updated_at        timestamptz NOT NULL
) WITH (fillfactor = 70);  -- rows change often: room for that on their own page

CREATE INDEX case_list_by_number ON case_list (number);
CREATE INDEX case_list_by_phase ON case_list (phase, number);

CREATE TABLE referral_list (
    stream_id    uuid NOT NULL,
    referral_id  text NOT NULL,
    kind         text NOT NULL,  -- the public one
    partner_id   text NOT NULL,
    urgent       boolean NOT NULL,
    status       text NOT NULL,
    timeliness   text NOT NULL,
    sent_at      timestamptz,
    paused_since timestamptz,
    dues         jsonb NOT NULL,
    version      bigint NOT NULL,
    updated_at   timestamptz NOT NULL,
    PRIMARY KEY (stream_id, referral_id)
) WITH (fillfactor = 70);

CREATE INDEX referral_list_of_partner ON referral_list (partner_id, status);

CREATE TABLE movement_list (
    stream_id   uuid PRIMARY KEY,
    number      text NOT NULL,
    status      text NOT NULL,
    origin      text NOT NULL,
    destination text NOT NULL,
    std         timestamptz NOT NULL,
    sta         timestamptz NOT NULL,
    capacity    bigint NOT NULL,
    seats       uuid[] NOT NULL,
    waiting     uuid[] NOT NULL,
    version     bigint NOT NULL,
    updated_at  timestamptz NOT NULL
);

INSERT INTO projections (name) VALUES ('case_list'), ('referral_list'), ('movement_list');

-- The same tables once more: a rebuild fills these beside the living ones and is compared before it replaces them.
CREATE SCHEMA shadow;
CREATE TABLE shadow.projections (LIKE projections INCLUDING ALL);
CREATE TABLE shadow.case_list (LIKE case_list INCLUDING ALL) WITH (fillfactor = 70);
CREATE TABLE shadow.referral_list (LIKE referral_list INCLUDING ALL) WITH (fillfactor = 70);
CREATE TABLE shadow.movement_list (LIKE movement_list INCLUDING ALL);
INSERT INTO shadow.projections SELECT * FROM projections;

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
    ORDER BY r.dues ->> CASE r.status WHEN 'SENT' THEN 'ack' ELSE 'complete' END, r.kind, r.referral_id LIMIT 1
) AS owed ON true;

CREATE VIEW owed_answers AS
SELECT r.*, s.number,
       (r.dues ->> CASE r.status WHEN 'SENT' THEN 'ack' ELSE 'complete' END)::timestamptz AS due
FROM referral_list r
JOIN streams s USING (stream_id)
WHERE r.status IN ('SENT', 'ACKNOWLEDGED', 'ACCEPTED', 'IN_PROGRESS');

COMMENT ON VIEW owed_answers IS 'Who owes us an answer, about what, until when';

GRANT USAGE ON SCHEMA shadow TO awda_app, awda_reader;
GRANT SELECT, INSERT, UPDATE, DELETE ON projections, case_list, referral_list, movement_list TO awda_app;
GRANT SELECT, INSERT, UPDATE, DELETE, TRUNCATE
    ON shadow.projections, shadow.case_list, shadow.referral_list, shadow.movement_list TO awda_app;
GRANT SELECT ON worklist, owed_answers TO awda_app;
GRANT SELECT ON projections, case_list, referral_list, movement_list, worklist, owed_answers TO awda_reader;
