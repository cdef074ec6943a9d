-- One-time links for partners without a system: one link, one referral, one purpose. Nothing here names a person,
-- and neither link nor code stands here in clear: what is kept are keyed digests, useless without the master key.

CREATE TABLE task_links (
    link_id     uuid PRIMARY KEY,
    token_hash  bytea NOT NULL UNIQUE CHECK (octet_length(token_hash) = 32),
    code_hash   bytea NOT NULL CHECK (octet_length(code_hash) = 32),
    stream_id   uuid NOT NULL,
    referral_id uuid NOT NULL,
    partner_id  text NOT NULL,
    purpose     text NOT NULL CHECK (purpose IN ('answer', 'call')),
    issued_by   text NOT NULL,
    issued_at   timestamptz NOT NULL DEFAULT awda_now(),
    expires_at  timestamptz NOT NULL,
    tries       int NOT NULL DEFAULT 0,  -- wrong codes so far, and those being compared at this moment
    answers     int NOT NULL DEFAULT 0,  -- answers taken with it
    ended_at    timestamptz,
    ended_by    text CHECK (ended_by IN ('answered', 'opened', 'revoked', 'replaced')),
    CHECK ((ended_at IS NULL) = (ended_by IS NULL))
);

CREATE UNIQUE INDEX task_links_one_alive ON task_links (stream_id, referral_id) WHERE ended_at IS NULL;
CREATE INDEX task_links_by_time ON task_links (issued_at);

-- Who opened when: one row for every time the right code was given.
CREATE TABLE task_link_openings (
    ticket_hash bytea PRIMARY KEY CHECK (octet_length(ticket_hash) = 32),
    link_id     uuid NOT NULL REFERENCES task_links,
    opened_at   timestamptz NOT NULL DEFAULT awda_now(),
    lang        text NOT NULL,
    showed      text NOT NULL CHECK (showed IN ('task', 'call', 'ended', 'later')),
    answers     int NOT NULL  -- how many had been taken by then
);

CREATE INDEX task_link_openings_of_link ON task_link_openings (link_id, opened_at);

CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON task_link_openings
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- What was said with a link, by its digest: the moment it was first said, and the receipt once it was in the inbox.
CREATE TABLE task_link_answers (
    link_id     uuid NOT NULL REFERENCES task_links,
    slot        text NOT NULL,
    said_at     timestamptz NOT NULL DEFAULT awda_now(),
    receipt     text,
    received_at timestamptz,
    PRIMARY KEY (link_id, slot)
);

-- Tries with links that are not there, counted: so that looking in vain costs the same write as a wrong code.
CREATE TABLE task_link_misses (
    slot  int PRIMARY KEY,
    tries bigint NOT NULL DEFAULT 0
);
INSERT INTO task_link_misses (slot) SELECT generate_series(0, 63);

-- Take one try at a link. No row: unknown, used, run out or locked, and nobody can tell which.
CREATE FUNCTION try_task_link(p_token bytea, p_most int, p_slot int) RETURNS SETOF task_links LANGUAGE plpgsql AS $$
BEGIN
    RETURN QUERY
        UPDATE task_links SET tries = tries + 1
        WHERE token_hash = p_token AND ended_at IS NULL AND expires_at > awda_now() AND tries < p_most
        RETURNING *;
    IF NOT FOUND THEN
        UPDATE task_link_misses SET tries = tries + 1 WHERE slot = p_slot;
    END IF;
END
$$;

GRANT SELECT, INSERT (link_id, token_hash, code_hash, stream_id, referral_id, partner_id, purpose, issued_by,
                      expires_at),
      UPDATE (tries, answers, ended_at, ended_by) ON task_links TO awda_app;
GRANT SELECT, INSERT (ticket_hash, link_id, lang, showed, answers) ON task_link_openings TO awda_app;
GRANT SELECT, INSERT (link_id, slot), UPDATE (receipt, received_at) ON task_link_answers TO awda_app;
GRANT SELECT, UPDATE (tries) ON task_link_misses TO awda_app;
GRANT SELECT ON task_links, task_link_openings, task_link_answers, task_link_misses TO awda_reader;

-- Requests to be called get numbers of their own; each is a stream.
CREATE SEQUENCE contact_numbers;
GRANT USAGE ON SEQUENCE contact_numbers TO awda_app;
