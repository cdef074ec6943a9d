-- The log: one head row per stream, and its events, which nobody changes.

CREATE TABLE streams (
    stream_id uuid PRIMARY KEY,
    kind      text NOT NULL,
    number    text NOT NULL UNIQUE,
    revision  bigint NOT NULL DEFAULT 0,  -- moves with every recording, even one without events
    version   bigint NOT NULL DEFAULT 0,  -- how many events there are
    hash      bytea NOT NULL DEFAULT decode(repeat('00', 32), 'hex'),  -- of the last event
    next_due  timestamptz,
    open      boolean NOT NULL DEFAULT true,
    opened_at timestamptz NOT NULL DEFAULT awda_now()
) WITH (fillfactor = 80);

CREATE INDEX streams_due ON streams (next_due) WHERE open AND next_due IS NOT NULL;

CREATE SEQUENCE case_numbers;

CREATE TABLE events (
    stream_id   uuid NOT NULL,
    version     bigint NOT NULL CHECK (version > 0),
    topic       text NOT NULL,
    state       bytea NOT NULL,
    event_id    uuid NOT NULL CONSTRAINT events_once UNIQUE,
    metadata    text NOT NULL,
    hash        bytea NOT NULL CHECK (octet_length(hash) = 32),
    recorded_at timestamptz NOT NULL DEFAULT awda_now(),
    xact        xid8 NOT NULL DEFAULT pg_current_xact_id(),
    position    bigserial,
    PRIMARY KEY (stream_id, version)
);

CREATE UNIQUE INDEX events_feed ON events (xact, position);

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% on %: the log is append-only; record a correcting event instead', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'AW002';
END
$$;

CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON events
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE VIEW readable_events AS
SELECT stream_id, version, topic, convert_from(state, 'UTF8')::jsonb AS state, event_id,
       metadata::jsonb AS metadata, encode(hash, 'hex') AS hash, recorded_at, xact, position
FROM events;

COMMENT ON VIEW readable_events IS 'The log as text, for auditors; what is sealed stays sealed';

CREATE TABLE quarantined_rows (
    stream_id uuid NOT NULL,
    version   bigint NOT NULL,
    topic     text NOT NULL,
    found_at  timestamptz NOT NULL DEFAULT awda_now(),
    detail    text NOT NULL,
    PRIMARY KEY (stream_id, version)
);

COMMENT ON TABLE quarantined_rows IS 'Rows of the log that this version of the programme could not read';

GRANT SELECT, INSERT (stream_id, kind, number),
      UPDATE (revision, version, hash, next_due, open) ON streams TO awda_app;
GRANT USAGE ON SEQUENCE case_numbers, events_position_seq TO awda_app;
-- neither xact nor position may be chosen: the feed's order rests on them
GRANT SELECT, INSERT (stream_id, version, topic, state, event_id, metadata, hash, recorded_at) ON events TO awda_app;
GRANT SELECT ON readable_events TO awda_app;
GRANT SELECT, INSERT ON quarantined_rows TO awda_app;
GRANT SELECT ON streams, events, readable_events, quarantined_rows TO awda_reader;
