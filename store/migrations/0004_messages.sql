-- What comes in and what goes out. Bodies are sealed; names, kinds and results are neutral.

CREATE TABLE inbox (
    message_id      uuid PRIMARY KEY,
    stream_id       uuid,
    kind            text NOT NULL CHECK (kind IN ('staff', 'signal', 'letter', 'system')),
    name            text NOT NULL,
    body            bytea NOT NULL,
    body_hash       bytea NOT NULL,  -- keyed, so that nobody can guess a body from it
    actor           text NOT NULL,
    source          text NOT NULL,
    claimed_at      timestamptz,     -- by the sender's clock
    received_at     timestamptz NOT NULL DEFAULT awda_now(),
    arrival         bigserial,
    status          text NOT NULL DEFAULT 'pending' CHECK (status IN
                        ('pending', 'waiting', 'applied', 'ignored', 'late', 'quarantined', 'refused')),
    result          text,
    settled_at      timestamptz,
    settled_version bigint,
    receipt         text NOT NULL
);

CREATE INDEX inbox_alive ON inbox (stream_id, received_at, arrival) WHERE status IN ('pending', 'waiting');

CREATE TABLE outbox (
    outbox_id  uuid PRIMARY KEY,
    stream_id  uuid NOT NULL,
    partner_id text NOT NULL,
    name       text NOT NULL,
    body       bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT awda_now(),
    status     text NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'delivered', 'dead', 'withdrawn')),
    attempts   int NOT NULL DEFAULT 0,
    last_error text,
    claimed_at timestamptz,          -- when a delivery was last started, by the real clock
    settled_at timestamptz
);

CREATE INDEX outbox_pending ON outbox (created_at) WHERE status = 'pending';
CREATE INDEX outbox_of_stream ON outbox (stream_id);

GRANT SELECT, UPDATE (status, result, settled_at, settled_version),
      INSERT (message_id, stream_id, kind, name, body, body_hash, actor, source, claimed_at, received_at, receipt)
      ON inbox TO awda_app;
GRANT USAGE ON SEQUENCE inbox_arrival_seq TO awda_app;
GRANT SELECT, INSERT (outbox_id, stream_id, partner_id, name, body, created_at),
      UPDATE (status, attempts, last_error, claimed_at, settled_at) ON outbox TO awda_app;
GRANT SELECT ON inbox, outbox TO awda_reader;

-- Take a message in, once. A repeat finds what the first one left, whether or not it committed a moment ago.
CREATE FUNCTION put_message(
    p_message uuid, p_stream uuid, p_kind text, p_name text, p_body bytea, p_hash bytea,
    p_actor text, p_source text, p_claimed timestamptz, p_receipt text,
    OUT repeated boolean, OUT conflicting boolean, OUT stream_id uuid, OUT status text, OUT result text,
    OUT receipt text, OUT received_at timestamptz
) LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    known inbox;
BEGIN
    INSERT INTO inbox (message_id, stream_id, kind, name, body, body_hash, actor, source, claimed_at, receipt)
    VALUES (p_message, p_stream, p_kind, p_name, p_body, p_hash, p_actor, p_source, p_claimed, p_receipt)
    ON CONFLICT (message_id) DO NOTHING RETURNING * INTO known;
    repeated := NOT FOUND;
    IF repeated THEN
        SELECT * INTO STRICT known FROM inbox i WHERE i.message_id = p_message;
    END IF;
    conflicting := known.body_hash <> p_hash;
    stream_id := known.stream_id;
    status := known.status;
    result := known.result;
    receipt := known.receipt;
    received_at := known.received_at;
END
$$;

-- The first message of a new stream: the head row and the message, or neither. A case without a number gets the next.
CREATE FUNCTION start_stream(
    p_message uuid, p_stream uuid, p_kind text, p_name text, p_body bytea, p_hash bytea,
    p_actor text, p_source text, p_claimed timestamptz, p_receipt text, p_stream_kind text, p_number text,
    OUT repeated boolean, OUT conflicting boolean, OUT stream_id uuid, OUT status text, OUT result text,
    OUT receipt text, OUT received_at timestamptz, OUT number text
) LANGUAGE plpgsql AS $$
#variable_conflict use_column
BEGIN
    SELECT m.* INTO repeated, conflicting, stream_id, status, result, receipt, received_at
    FROM put_message(p_message, p_stream, p_kind, p_name, p_body, p_hash,
                     p_actor, p_source, p_claimed, p_receipt) AS m;
    IF NOT repeated THEN
        INSERT INTO streams (stream_id, kind, number) VALUES (p_stream, p_stream_kind, coalesce(p_number,
            format('LBY-%s-%s', to_char(awda_now() AT TIME ZONE 'UTC', 'YYYY'),
                   lpad(nextval('case_numbers')::text, 6, '0'))));
    END IF;
    number := (SELECT s.number FROM streams s WHERE s.stream_id = p_stream);
END
$$;
