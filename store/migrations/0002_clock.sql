-- The programme's clock. Empty in production; in a demo home it holds the moment at which time stands still.

CREATE TABLE programme_clock (
    only_row  boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    stands_at timestamptz NOT NULL
);

CREATE FUNCTION awda_now() RETURNS timestamptz LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    RETURN coalesce((SELECT stands_at FROM programme_clock), clock_timestamp());
END
$$;

COMMENT ON FUNCTION awda_now() IS 'The only clock the programme''s rows are stamped with';

-- Whoever owns the database decides that time stands still; the worker may only move it on.
GRANT SELECT, UPDATE (stands_at) ON programme_clock TO awda_app;
GRANT SELECT ON programme_clock TO awda_reader;
