-- Who may do what: the worker's role appends, the auditor's role only reads.
-- Roles belong to the whole cluster, so they may be here already; passwords are set by whoever runs the cluster.

DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'awda_app') THEN
        CREATE ROLE awda_app LOGIN;
    END IF;
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'awda_reader') THEN
        CREATE ROLE awda_reader LOGIN;
    END IF;
EXCEPTION WHEN duplicate_object OR unique_violation THEN
    NULL;  -- a neighbouring database was migrated at this very moment
END
$$;

-- A worker that hangs must not hold a case, nor keep back the feed, for longer than this.
ALTER ROLE awda_app SET transaction_timeout = '30s';
ALTER ROLE awda_app SET statement_timeout = '15s';
ALTER ROLE awda_app SET lock_timeout = '5s';
ALTER ROLE awda_app SET idle_in_transaction_session_timeout = '5s';

ALTER ROLE awda_reader SET default_transaction_read_only = on;
ALTER ROLE awda_reader SET statement_timeout = '60s';
ALTER ROLE awda_reader SET idle_in_transaction_session_timeout = '5s';
