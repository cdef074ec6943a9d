-- What is known of a partner beside what it may be asked, and which of its keys may speak for what.

ALTER TABLE partners
    ADD COLUMN recipient           text,              -- what it is in the programme: CLINIC, EMBASSY, …
    ADD COLUMN calendar            text,              -- the country whose working week it keeps, if not the usual one
    ADD COLUMN mandatory_reporting boolean NOT NULL DEFAULT false,
    ADD COLUMN contact             text,              -- of the organisation, never of a person it helps
    ADD COLUMN tolerance_s         int NOT NULL DEFAULT 300 CHECK (tolerance_s BETWEEN 1 AND 900);

-- Inbound keys know a partner's messages, outbound keys sign ours: one never stands in for the other.
ALTER TABLE partner_keys
    ADD COLUMN direction    text NOT NULL DEFAULT 'inbound' CHECK (direction IN ('inbound', 'outbound')),
    ADD COLUMN kinds        text[],                   -- kinds of referral it may speak of; NULL is all
    ADD COLUMN signals      text[],                   -- what it may say; NULL is everything
    ADD COLUMN replaces     text REFERENCES partner_keys,
    ADD COLUMN last_used_at timestamptz,              -- within an hour
    DROP CONSTRAINT partner_keys_check,
    ADD CONSTRAINT parts_of_the_key CHECK (
        (algorithm = 'v1a') = (public IS NOT NULL)
        AND (algorithm = 'v1' OR direction = 'outbound') = (secret IS NOT NULL)),
    ADD CONSTRAINT only_partners_are_limited CHECK (
        direction = 'inbound' OR (kinds IS NULL AND signals IS NULL));

-- Who changed what in the registry, and when, by the real clock. Nothing secret, nothing about persons.
CREATE TABLE partner_changes (
    change_id  bigserial PRIMARY KEY,
    at         timestamptz NOT NULL DEFAULT clock_timestamp(),
    by         text NOT NULL,
    partner_id text NOT NULL REFERENCES partners,
    key_id     text REFERENCES partner_keys,
    change     text NOT NULL,
    told       text NOT NULL DEFAULT '{}'
);

CREATE INDEX partner_changes_of_partner ON partner_changes (partner_id, change_id);

CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON partner_changes
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

GRANT SELECT, INSERT (by, partner_id, key_id, change, told) ON partner_changes TO awda_app;
GRANT USAGE ON SEQUENCE partner_changes_change_id_seq TO awda_app;
GRANT SELECT ON partner_changes TO awda_reader;

-- What an update of a FHIR Task was taken to say when it first came, so that its repetition says the same.
CREATE TABLE task_updates (
    message_id  uuid PRIMARY KEY,
    signal_type text NOT NULL
);

GRANT SELECT, INSERT ON task_updates TO awda_app;
