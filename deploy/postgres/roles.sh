#!/bin/sh
# Runs once, on an empty cluster: creates the roles other than the owner, with their passwords.
# Their privileges are granted by the migrations.
set -eu

AWDA_SECRETS=${AWDA_SECRETS:-/run/secrets}
export AWDA_SECRETS

psql --no-psqlrc --quiet --set=ON_ERROR_STOP=1 --username="$POSTGRES_USER" --dbname="$POSTGRES_DB" <<'SQL'
\set app `cat "$AWDA_SECRETS/awda_app_password"`
\set reader `cat "$AWDA_SECRETS/awda_reader_password"`
CREATE ROLE awda_app LOGIN PASSWORD :'app';
CREATE ROLE awda_reader LOGIN PASSWORD :'reader';
REVOKE ALL ON DATABASE :"DBNAME" FROM PUBLIC;
GRANT CONNECT ON DATABASE :"DBNAME" TO awda_app, awda_reader;
SQL
