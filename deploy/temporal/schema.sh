#!/bin/sh
# Migrates Temporal's two databases to the schema of this release. Running it again is safe:
# an existing database is kept, and a schema version is never lowered.
set -eu

migrate() { # database, folder of its schema
  tool="temporal-sql-tool --plugin $SQL_PLUGIN --ep $SQL_HOST -p $SQL_PORT -u $SQL_USER --db $1"
  $tool create
  $tool setup-schema -v 0.0
  $tool update-schema -d "/etc/temporal/schema/postgresql/v12/$2/versioned"
}

migrate temporal temporal
migrate temporal_visibility visibility
