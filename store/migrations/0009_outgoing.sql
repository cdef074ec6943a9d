-- What goes out, in order: which referral a message is about, whose turn it is, and what must not leave any more.

ALTER TABLE outbox
    ADD COLUMN line          bigint GENERATED ALWAYS AS IDENTITY,
    ADD COLUMN referral_id   text,
    ADD COLUMN begun_at      timestamptz,  -- since when the partner may know of it, by the real clock
    ADD COLUMN tried_at      timestamptz,  -- when an attempt last came to nothing, by the real clock
    ADD COLUMN held_revision bigint,       -- it may not leave while its stream stands at that revision
    DROP CONSTRAINT outbox_status_check,
    ADD CONSTRAINT outbox_status_check CHECK (status IN ('pending', 'by_hand', 'delivered', 'dead', 'withdrawn'));

COMMENT ON COLUMN outbox.status IS 'by_hand: the partner has no receiver, and a person brings it';

UPDATE outbox SET begun_at = coalesce(claimed_at, created_at) WHERE status = 'delivered';

DROP INDEX outbox_pending, outbox_of_stream;
CREATE INDEX outbox_pending ON outbox (line) WHERE status = 'pending';
CREATE INDEX outbox_held ON outbox (line) WHERE status = 'pending' AND held_revision IS NOT NULL;
CREATE INDEX outbox_by_hand ON outbox (partner_id, line) WHERE status = 'by_hand';
CREATE INDEX outbox_of_referral ON outbox (stream_id, referral_id, partner_id, line);
CREATE INDEX outbox_of_partner ON outbox (partner_id, line);

-- The order is that of a referral: what came before must be settled first.
CREATE FUNCTION its_turn(it outbox) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT NOT EXISTS (
        SELECT FROM outbox earlier
        WHERE earlier.stream_id = it.stream_id AND earlier.referral_id = it.referral_id
          AND earlier.partner_id = it.partner_id AND earlier.line < it.line AND earlier.status = 'pending')
$$;

CREATE VIEW outgoing_now AS
SELECT o.outbox_id, o.stream_id, o.created_at, o.claimed_at, s.number
FROM outbox o JOIN streams s USING (stream_id)
WHERE o.status = 'pending' AND o.held_revision IS DISTINCT FROM s.revision AND its_turn(o);

COMMENT ON VIEW outgoing_now IS 'Deliveries under way: neither held back as their case stands, nor behind another';

-- A receiver that says it is gone (410) is not asked again until somebody registers one.
ALTER TABLE partners ADD COLUMN receiver_gone text, ADD COLUMN receiver_gone_at timestamptz;

GRANT INSERT (status, settled_at, referral_id) ON outbox TO awda_app;
GRANT UPDATE (begun_at, tried_at, held_revision) ON outbox TO awda_app;
GRANT SELECT ON outgoing_now TO awda_app, awda_reader;
