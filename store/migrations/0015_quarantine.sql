-- What waits for a person, whoever sent it: partners, staff, other streams, or whoever delivers for us.

-- A doubt that a case has recorded about a partner's signal is over when the case says so; any other, when a
-- person's decision names it. `doubted_at` is where its case recorded the doubt, `doubt_topic` as what.
DROP VIEW quarantine;

CREATE VIEW quarantine AS
SELECT i.message_id, i.stream_id, s.number, i.name, i.actor, i.source, i.partner_id, i.contradicts, l.seq,
       i.received_at, i.settled_at, i.moved_at, i.arrival,
       i.result::jsonb ->> 'cause' AS cause, i.result::jsonb ->> 'detail' AS detail,
       doubt.signal_id, doubt.referral_id, doubt.version AS doubted_at, doubt.kind AS referral_kind,
       i.kind, doubt.topic AS doubt_topic
FROM inbox i
LEFT JOIN ledger l USING (message_id)
LEFT JOIN streams s USING (stream_id)
LEFT JOIN LATERAL (
    SELECT e.version, e.topic, said.state ->> 'signal_id' AS signal_id, said.state ->> 'referral_id' AS referral_id,
           said.state ->> 'kind' AS kind
    FROM events e, LATERAL (SELECT convert_from(e.state, 'UTF8')::jsonb AS state) AS said
    WHERE e.stream_id = i.stream_id AND e.topic IN ('PartnerSignalQuarantined', 'MessageQuarantined')
      AND i.message_id::text = CASE e.topic WHEN 'MessageQuarantined' THEN said.state ->> 'kept_message'
                               ELSE e.metadata::jsonb ->> 'message_id' END
    ORDER BY e.version DESC LIMIT 1
) AS doubt ON true
WHERE i.status = 'quarantined' AND i.resolved_by IS NULL AND NOT EXISTS (
    SELECT FROM events e
    WHERE e.stream_id = i.stream_id AND e.topic = 'QuarantinedSignalResolved' AND e.version > doubt.version
      AND convert_from(e.state, 'UTF8')::jsonb ->> 'signal_id' = doubt.signal_id
);

COMMENT ON VIEW quarantine IS 'Messages in doubt, each waiting for a person to decide';

GRANT SELECT ON quarantine TO awda_app, awda_reader;
