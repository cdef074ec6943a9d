-- Keys of the streams (wrapped under the master key), the partners, and where a partner's answer belongs.

CREATE TABLE case_keys (
    key_id       uuid PRIMARY KEY,  -- opaque: does not tell what the key is for
    stream_id    uuid NOT NULL,
    wrapped      bytea,             -- NULL once destroyed
    destroyed_at timestamptz,
    CHECK ((wrapped IS NULL) = (destroyed_at IS NOT NULL))
);

CREATE INDEX case_keys_of_stream ON case_keys (stream_id);

CREATE FUNCTION refuse_revival() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'key %: a destroyed key never comes back', OLD.key_id USING ERRCODE = 'AW002';
END
$$;

CREATE TRIGGER destroyed_for_ever BEFORE UPDATE ON case_keys
    FOR EACH ROW WHEN (OLD.wrapped IS NULL AND NEW.wrapped IS NOT NULL) EXECUTE FUNCTION refuse_revival();

CREATE TABLE partners (
    partner_id   text PRIMARY KEY,
    name         text NOT NULL,
    kinds        text[] NOT NULL DEFAULT '{}',
    country      text,
    receiver_url text,
    active       boolean NOT NULL DEFAULT true
);

CREATE TABLE partner_keys (
    key_id      text PRIMARY KEY,
    partner_id  text NOT NULL REFERENCES partners,
    algorithm   text NOT NULL CHECK (algorithm IN ('v1', 'v1a')),
    public      bytea,              -- v1a: Ed25519 public key
    secret      bytea,              -- v1: shared secret, sealed
    valid_from  timestamptz NOT NULL DEFAULT clock_timestamp(),
    valid_until timestamptz,
    revoked_at  timestamptz,
    CHECK ((algorithm = 'v1a') = (public IS NOT NULL) AND (algorithm = 'v1') = (secret IS NOT NULL))
);

CREATE INDEX partner_keys_of_partner ON partner_keys (partner_id);

CREATE TABLE referral_tokens (
    token       text PRIMARY KEY,
    stream_id   uuid NOT NULL,
    referral_id text NOT NULL,
    partner_id  text NOT NULL
);

CREATE INDEX referral_tokens_of_stream ON referral_tokens (stream_id);

GRANT SELECT, INSERT, UPDATE (wrapped, destroyed_at) ON case_keys TO awda_app;
GRANT SELECT, INSERT, UPDATE ON partners, partner_keys TO awda_app;
GRANT SELECT, INSERT ON referral_tokens TO awda_app;
GRANT SELECT ON partners, referral_tokens TO awda_reader;
