-- What the protection unit advises about returning to a country or a part of it. A change is a row; none is taken back.

CREATE TABLE return_advisories (
    number     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    country    text NOT NULL CHECK (country ~ '^[A-Z]{3}$'),
    area       text CHECK (area ~ '^[A-Z]{2}-[A-Z0-9]{1,3}$'),
    level      text NOT NULL CHECK (level IN ('OPEN', 'CAUTION_INDIVIDUAL_ASSESSMENT', 'NO_RETURN')),
    version    text NOT NULL CHECK (version <> ''),
    basis      text NOT NULL CHECK (basis <> ''),
    since      timestamptz NOT NULL DEFAULT awda_now(),
    changed_by text NOT NULL,
    UNIQUE NULLS NOT DISTINCT (country, area, version)
);

CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON return_advisories
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE TABLE advisories_told (
    number  bigint PRIMARY KEY REFERENCES return_advisories,
    told_at timestamptz NOT NULL DEFAULT awda_now()
);

COMMENT ON TABLE advisories_told IS 'Changes of which every case has been told to the end; the others were interrupted';

COMMENT ON TABLE return_advisories IS 'What is advised about places of return, and was before; the newest row of a place counts';

GRANT SELECT ON return_advisories, advisories_told TO awda_app, awda_reader;
GRANT INSERT (number) ON advisories_told TO awda_app;
GRANT INSERT (country, area, level, version, basis, changed_by) ON return_advisories TO awda_app;
