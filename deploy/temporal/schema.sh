#!/bin/sh
# Brings Temporal's two databases to the schema of this release. Running it again only goes forward:
# a database that exists is kept, and a schema version is never set back.
set -eu

bring() { # database, folder of its schema
  tool="temporal-sql-tool --plugin $SQL_PLUGIN --ep $SQL_HOST -p $SQL_PORT -u $SQL_USER --db $1"
  $tool create
  $tool setup-schema -v 0.0
  $tool update-schema -d "/etc/temporal/schema/postgresql/v12/$2/versioned"
}

bring temporal temporal
bring temporal_visibility visibility
