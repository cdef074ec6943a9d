-- Each partner's own ledger: every message acknowledged to it, numbered 1, 2, 3 … in the order of the commits.

-- Where each ledger stands. Whoever adds to it locks this row until the commit, so a number is never seen before
-- the one that precedes it.
CREATE TABLE ledger_heads (
    partner_id  text PRIMARY KEY,
    seq         bigint NOT NULL DEFAULT 0,
    hash        bytea NOT NULL CHECK (octet_length(hash) = 32),
    received_at timestamptz NOT NULL DEFAULT '-infinity'  -- of the last entry: a ledger's time never goes back
) WITH (fillfactor = 50);

CREATE TABLE ledger (
    partner_id  text NOT NULL,
    seq         bigint NOT NULL CHECK (seq > 0),
    message_id  uuid NOT NULL CONSTRAINT ledger_once UNIQUE,
    entry       bytea NOT NULL,        -- sealed: the partner's own id of the message, and the SHA-256 of what it sent
    received_at timestamptz NOT NULL,
    hash        bytea NOT NULL CHECK (octet_length(hash) = 32),
    PRIMARY KEY (partner_id, seq)
);

CREATE INDEX ledger_by_time ON ledger USING brin (received_at);

CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE TABLE receipt_keys (
    kid        text PRIMARY KEY,
    public     bytea NOT NULL CHECK (octet_length(public) = 32),
    first_used timestamptz NOT NULL DEFAULT clock_timestamp()
);

COMMENT ON TABLE receipt_keys IS 'Ed25519 keys under which receipts were ever signed; their private halves are not here';

-- Whose message it is; what it can be found by when its case comes; and what a person decided about it.
ALTER TABLE inbox ADD COLUMN partner_id text;
ALTER TABLE inbox ADD COLUMN contradicts uuid;      -- the message of which this has the id, but not the body
ALTER TABLE inbox ADD COLUMN token_hash bytea;      -- keyed, of partner and token: only while nobody knows the token
ALTER TABLE inbox ADD COLUMN resolved_by uuid;      -- the message in which a person decided about a doubtful one
ALTER TABLE inbox ADD COLUMN moved_at timestamptz;  -- when it was given to a case, if that was later
ALTER TABLE referral_tokens ADD COLUMN token_hash bytea;  -- the same; filled in once something waits for a token

CREATE INDEX inbox_early ON inbox (token_hash) WHERE token_hash IS NOT NULL;
CREATE INDEX inbox_contradictions ON inbox (contradicts) WHERE contradicts IS NOT NULL;
CREATE INDEX inbox_in_doubt ON inbox (received_at, arrival) WHERE status = 'quarantined' AND resolved_by IS NULL;
CREATE INDEX referral_tokens_by_hash ON referral_tokens (token_hash) WHERE token_hash IS NOT NULL;
CREATE INDEX referral_tokens_unhashed ON referral_tokens (token) WHERE token_hash IS NULL;

CREATE FUNCTION refuse_moving() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'message %: only what is quarantined may be given to a case, and it is pending there',
        OLD.message_id USING ERRCODE = 'AW002';
END
$$;

CREATE TRIGGER moved_out_of_quarantine BEFORE UPDATE OF stream_id, body ON inbox FOR EACH ROW
    WHEN ((OLD.stream_id IS DISTINCT FROM NEW.stream_id OR OLD.body <> NEW.body)
          AND NOT (OLD.status = 'quarantined' AND NEW.status = 'pending' AND NEW.stream_id IS NOT NULL))
    EXECUTE FUNCTION refuse_moving();

-- Give a quarantined message to a case, sealed for it. It is pending there, and keeps the time at which it was received.
-- The worker has no right to do so in any other way.
CREATE FUNCTION take_up(p_message uuid, p_from uuid, p_stream uuid, p_body bytea) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    UPDATE inbox SET stream_id = p_stream, body = p_body, status = 'pending', result = NULL, settled_at = NULL,
                     settled_version = NULL, token_hash = NULL, moved_at = awda_now()
    WHERE message_id = p_message AND stream_id IS NOT DISTINCT FROM p_from
      AND status = 'quarantined' AND resolved_by IS NULL;
    RETURN FOUND;
END
$$;

-- The digest of a ledger so far, from the digest before it: what store/accounts.py computes as well.
CREATE FUNCTION ledger_link(p_so_far bytea, p_before bytea, p_row bytea) RETURNS bytea
    LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN sha256(coalesce(p_so_far, p_before) || p_row);

CREATE AGGREGATE ledger_chain (p_before bytea, p_row bytea) (SFUNC = ledger_link, STYPE = bytea);

CREATE FUNCTION ledger_row(p_seq bigint, p_message uuid, p_received timestamptz, p_entry bytea) RETURNS bytea
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN int8send(p_seq) || uuid_send(p_message)
        || int8send((extract(epoch FROM p_received) * 1000000)::bigint) || p_entry;

-- Take many partners' messages in, each once, and number in its partner's ledger every one that is new to us.
-- What has no entry is kept and not acknowledged, so it gets no number. The ids of one call differ.
-- AW003: a partner has no ledger yet; open_ledgers() first, in a transaction of its own.
CREATE FUNCTION take_signals(
    p_partners text[], p_messages uuid[], p_streams uuid[], p_names text[], p_bodies bytea[], p_hashes bytea[],
    p_actors text[], p_sources text[], p_claimed timestamptz[], p_statuses text[], p_results text[],
    p_tokens bytea[], p_contradicts uuid[], p_entries bytea[]
) RETURNS TABLE (
    message_id uuid, repeated boolean, conflicting boolean, stream_id uuid, status text, result text,
    received_at timestamptz, seq bigint, hash bytea
) LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    this_moment timestamptz;
    locked bigint;
    taken uuid[];
BEGIN
    PERFORM FROM ledger_heads WHERE partner_id = ANY (p_partners) ORDER BY partner_id FOR NO KEY UPDATE;
    GET DIAGNOSTICS locked = ROW_COUNT;
    IF locked <> (SELECT count(DISTINCT partner_id) FROM unnest(p_partners) AS partner_id) THEN
        RAISE EXCEPTION 'a partner has no ledger yet' USING ERRCODE = 'AW003';
    END IF;

    this_moment := awda_now();  -- after the lock: later numbers are not earlier
    WITH given AS (
        SELECT * FROM unnest(p_partners, p_messages, p_streams, p_names, p_bodies, p_hashes, p_actors, p_sources,
                             p_claimed, p_statuses, p_results, p_tokens, p_contradicts, p_entries) WITH ORDINALITY
            AS g (partner_id, message_id, stream_id, name, body, body_hash, actor, source,
                  claimed_at, status, result, token_hash, contradicts, entry, nth)
    ), took AS (
        INSERT INTO inbox (message_id, stream_id, kind, name, body, body_hash, actor, source, claimed_at,
                           received_at, status, result, partner_id, token_hash, contradicts, receipt, settled_at)
        SELECT g.message_id, g.stream_id, 'signal', g.name, g.body, g.body_hash, g.actor, g.source, g.claimed_at,
               greatest(this_moment, h.received_at), g.status, g.result, g.partner_id, g.token_hash,
               g.contradicts, g.message_id::text, CASE WHEN g.status <> 'pending' THEN greatest(this_moment, h.received_at) END
        FROM given g JOIN ledger_heads h USING (partner_id) ORDER BY g.nth
        ON CONFLICT (message_id) DO NOTHING RETURNING message_id, received_at
    ), numbered AS (
        SELECT g.partner_id, g.message_id, g.entry, t.received_at, h.hash AS before,
               h.seq + row_number() OVER (PARTITION BY g.partner_id ORDER BY g.nth) AS seq
        FROM given g JOIN took t USING (message_id) JOIN ledger_heads h USING (partner_id)
        WHERE g.entry IS NOT NULL
    ), linked AS (
        SELECT n.*, ledger_chain(n.before, ledger_row(n.seq, n.message_id, n.received_at, n.entry))
            OVER (PARTITION BY n.partner_id ORDER BY n.seq) AS hash
        FROM numbered n
    ), written AS (
        INSERT INTO ledger (partner_id, seq, message_id, entry, received_at, hash)
        SELECT l.partner_id, l.seq, l.message_id, l.entry, l.received_at, l.hash FROM linked l
    ), moved AS (
        UPDATE ledger_heads h SET seq = last.seq, hash = last.hash, received_at = last.received_at
        FROM (SELECT DISTINCT ON (partner_id) * FROM linked ORDER BY partner_id, seq DESC) AS last
        WHERE h.partner_id = last.partner_id
    )
    SELECT array_agg(t.message_id) INTO taken FROM took t;

    RETURN QUERY
    SELECT i.message_id, NOT i.message_id = ANY (coalesce(taken, '{}')), i.body_hash <> g.body_hash, i.stream_id,
           i.status, i.result, i.received_at, l.seq, l.hash
    FROM unnest(p_messages, p_hashes) AS g (message_id, body_hash)
    JOIN inbox i USING (message_id) LEFT JOIN ledger l USING (message_id);
END
$$;

CREATE FUNCTION open_ledgers(p_partners text[]) RETURNS void LANGUAGE sql AS $$
    INSERT INTO ledger_heads (partner_id, hash)
    SELECT DISTINCT partner_id, sha256(convert_to(partner_id, 'UTF8')) FROM unnest(p_partners) AS partner_id
    ORDER BY partner_id ON CONFLICT DO NOTHING
$$;

-- What waits for a person to decide. A doubt that a case has recorded is over when the case says so;
-- any other, when a person's decision names it.
CREATE VIEW quarantine AS
SELECT i.message_id, i.stream_id, s.number, i.name, i.actor, i.source, i.partner_id, i.contradicts, l.seq,
       i.received_at, i.settled_at, i.moved_at, i.arrival,
       i.result::jsonb ->> 'cause' AS cause, i.result::jsonb ->> 'detail' AS detail,
       doubt.signal_id, doubt.referral_id, doubt.version AS doubted_at, doubt.kind AS referral_kind
FROM inbox i
LEFT JOIN ledger l USING (message_id)
LEFT JOIN streams s USING (stream_id)
LEFT JOIN LATERAL (
    SELECT e.version, said.state ->> 'signal_id' AS signal_id, said.state ->> 'referral_id' AS referral_id,
           said.state ->> 'kind' AS kind
    FROM events e, LATERAL (SELECT convert_from(e.state, 'UTF8')::jsonb AS state) AS said
    WHERE e.stream_id = i.stream_id AND e.topic = 'PartnerSignalQuarantined'
      AND e.metadata::jsonb ->> 'message_id' = i.message_id::text
    ORDER BY e.version DESC LIMIT 1
) AS doubt ON true
WHERE i.status = 'quarantined' AND i.kind = 'signal' AND i.resolved_by IS NULL AND NOT EXISTS (
    SELECT FROM events e
    WHERE e.stream_id = i.stream_id AND e.topic = 'QuarantinedSignalResolved' AND e.version > doubt.version
      AND convert_from(e.state, 'UTF8')::jsonb ->> 'signal_id' = doubt.signal_id
);

COMMENT ON VIEW quarantine IS 'Partners'' messages in doubt, each waiting for a person to decide';

GRANT SELECT, INSERT ON ledger, receipt_keys TO awda_app;
GRANT SELECT, INSERT (partner_id, hash), UPDATE (seq, hash, received_at) ON ledger_heads TO awda_app;
GRANT INSERT (status, result, settled_at, partner_id, token_hash, contradicts),
      UPDATE (token_hash, resolved_by) ON inbox TO awda_app;
GRANT UPDATE (token_hash) ON referral_tokens TO awda_app;
GRANT SELECT ON quarantine TO awda_app;
GRANT SELECT ON ledger, ledger_heads, receipt_keys, quarantine TO awda_reader;
