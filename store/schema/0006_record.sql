-- One recording: everything it decided, or nothing. AW001 means "somebody was faster: read again and decide again".

CREATE FUNCTION record(
    p_stream uuid, p_revision bigint, p_version bigint, p_previous bytea, p_next_due timestamptz, p_open boolean,
    e_topics text[], e_states bytea[], e_ids uuid[], e_metadata text[], e_hashes bytea[],
    s_ids uuid[], s_statuses text[], s_results text[], s_versions bigint[],
    o_ids uuid[], o_partners text[], o_names text[], o_bodies bytea[],
    l_ids uuid[], l_streams uuid[], l_kinds text[], l_names text[], l_bodies bytea[], l_hashes bytea[],
    l_actors text[], l_sources text[], l_claimed timestamptz[],
    t_tokens text[], t_referrals text[], t_partners text[],
    h_streams uuid[], h_revisions bigint[]
) RETURNS timestamptz LANGUAGE plpgsql AS $$
DECLARE
    this_moment CONSTANT timestamptz := awda_now();
    moved bigint;
BEGIN
    IF cardinality(h_streams) > 0 THEN  -- several heads: always locked in the same order
        PERFORM FROM streams WHERE stream_id = p_stream OR stream_id = ANY (h_streams) ORDER BY stream_id FOR UPDATE;
        UPDATE streams s SET revision = s.revision + 1
        FROM unnest(h_streams, h_revisions) AS h (stream_id, revision)
        WHERE s.stream_id = h.stream_id AND s.revision = h.revision;
        GET DIAGNOSTICS moved = ROW_COUNT;
        IF moved <> cardinality(h_streams) THEN
            RAISE EXCEPTION 'another head of stream % has moved', p_stream USING ERRCODE = 'AW001';
        END IF;
    END IF;

    UPDATE streams SET revision = revision + 1, version = version + coalesce(cardinality(e_ids), 0),
        hash = coalesce(e_hashes[cardinality(e_ids)], hash),
        next_due = p_next_due, open = p_open
    WHERE stream_id = p_stream AND revision = p_revision AND version = p_version AND hash = p_previous;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'stream % is no longer at revision %', p_stream, p_revision USING ERRCODE = 'AW001';
    END IF;

    IF cardinality(s_ids) > 0 THEN
        UPDATE inbox i SET status = s.status, result = s.result, settled_version = s.version,
            settled_at = CASE WHEN s.status IN ('pending', 'waiting') THEN NULL ELSE this_moment END
        FROM unnest(s_ids, s_statuses, s_results, s_versions) AS s (message_id, status, result, version)
        WHERE i.message_id = s.message_id AND i.stream_id = p_stream AND i.status IN ('pending', 'waiting');
        GET DIAGNOSTICS moved = ROW_COUNT;
        IF moved <> cardinality(s_ids) THEN
            RAISE EXCEPTION 'a message to stream % is settled already', p_stream USING ERRCODE = 'AW001';
        END IF;
    END IF;

    IF cardinality(e_ids) > 0 THEN
        INSERT INTO events (stream_id, version, topic, state, event_id, metadata, hash, recorded_at)
        SELECT p_stream, p_version + e.nth, e.topic, e.state, e.event_id, e.metadata, e.hash, this_moment
        FROM unnest(e_topics, e_states, e_ids, e_metadata, e_hashes)
            WITH ORDINALITY AS e (topic, state, event_id, metadata, hash, nth)
        ORDER BY e.nth;
    END IF;

    IF cardinality(o_ids) > 0 THEN
        INSERT INTO outbox (outbox_id, stream_id, partner_id, name, body, created_at)
        SELECT o.outbox_id, p_stream, o.partner_id, o.name, o.body, this_moment
        FROM unnest(o_ids, o_partners, o_names, o_bodies) AS o (outbox_id, partner_id, name, body);
    END IF;

    IF cardinality(l_ids) > 0 THEN
        INSERT INTO inbox (message_id, stream_id, kind, name, body, body_hash, actor, source, claimed_at,
                           received_at, receipt)
        SELECT l.message_id, l.stream_id, l.kind, l.name, l.body, l.body_hash, l.actor, l.source, l.claimed_at,
               this_moment, l.message_id::text
        FROM unnest(l_ids, l_streams, l_kinds, l_names, l_bodies, l_hashes, l_actors, l_sources, l_claimed)
            AS l (message_id, stream_id, kind, name, body, body_hash, actor, source, claimed_at)
        ON CONFLICT (message_id) DO NOTHING;
    END IF;

    IF cardinality(t_tokens) > 0 THEN
        INSERT INTO referral_tokens (token, stream_id, referral_id, partner_id)
        SELECT t.token, p_stream, t.referral_id, t.partner_id
        FROM unnest(t_tokens, t_referrals, t_partners) AS t (token, referral_id, partner_id);
    END IF;

    RETURN this_moment;
END
$$;
