"""Databases for tests: each test gets one in the state that the migrations left, usually one that was used before.

Creating and dropping a database takes longer than most tests. When a test returns its database, all rows are restored;
a database whose tables, rights, triggers or functions were changed is dropped.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Final
from uuid import uuid4

import asyncpg

from store.postgres.database import migrate
from workers.embedded.postgres import APP, OWNER, Postgres

TEMPLATE: Final = "awda_template"

CONNECTIONS_END_WITHIN_S: Final = 10
"""Seconds that other connections have to end."""


@dataclass(frozen=True, slots=True)
class Database:
    """One empty, migrated database for one test."""

    name: str
    owner_dsn: str
    app_dsn: str


@dataclass
class Databases:
    """The databases of one server. ``shape`` is a digest of the schema; only a database with the same one is reused."""

    postgres: Postgres
    shape: str = ""
    free: list[str] = field(default_factory=list)

    async def begin(self) -> None:
        """Creates the template of all databases, with a copy of its rows in a schema of their own."""
        await self._as_owner(f"CREATE DATABASE {TEMPLATE}")
        await migrate(self.postgres.dsn(OWNER, TEMPLATE))
        await self.postgres.ensure_role_passwords()
        connection = await asyncpg.connect(self.postgres.dsn(OWNER, TEMPLATE))
        try:
            await connection.execute(_KEEP_ROWS)
            self.shape = await connection.fetchval(_SHAPE)
        finally:
            await connection.close()

    async def take(self) -> Database:
        """Returns a database that no other test uses at the moment."""
        name = self.free.pop() if self.free else await self._new()
        return Database(name, self.postgres.dsn(OWNER, name), self.postgres.dsn(APP, name))

    async def give_back(self, database: Database) -> None:
        """Keeps a restored database for the next test, and drops one that cannot be restored."""
        if await self._restored(database):
            self.free.append(database.name)
        else:
            await self._as_owner(f"DROP DATABASE IF EXISTS {database.name} WITH (FORCE)")

    async def _new(self) -> str:
        name = f"t_{uuid4().hex[:12]}"
        await self._as_owner(f"CREATE DATABASE {name} TEMPLATE {TEMPLATE}")
        return name

    async def _restored(self, database: Database) -> bool:
        """Ends other connections and restores all rows. Returns False if more than rows was changed."""
        try:
            connection = await asyncpg.connect(database.owner_dsn)
        except (OSError, asyncpg.PostgresError):
            return False
        try:
            async with asyncio.timeout(CONNECTIONS_END_WITHIN_S):
                while await connection.fetchval(_END_OTHERS):
                    await asyncio.sleep(0.01)
                if await connection.fetchval(_SHAPE) != self.shape:
                    return False
                await connection.execute(_RESTORE)
        except (TimeoutError, OSError, asyncpg.PostgresError):
            return False
        else:
            return True
        finally:
            await connection.close()

    async def _as_owner(self, statement: str) -> None:
        connection = await asyncpg.connect(self.postgres.dsn(OWNER, "postgres"))
        try:
            await connection.execute(statement)
        finally:
            await connection.close()


_END_OTHERS = """
SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'
"""

_KEEP_ROWS = """
CREATE SCHEMA kept_rows;
CREATE TABLE kept_rows.sequences AS SELECT sequencename, last_value, start_value FROM pg_sequences;
DO $$ DECLARE name text; BEGIN
    FOR name IN SELECT tablename FROM pg_tables WHERE schemaname = 'public' LOOP
        EXECUTE format('CREATE TABLE kept_rows.%I AS TABLE public.%I', 't_' || name, name);
    END LOOP;
END $$
"""

_RESTORE = """
SET session_replication_role = replica;
DO $$ DECLARE name text; BEGIN
    FOR name IN SELECT tablename FROM pg_tables WHERE schemaname = 'public' LOOP
        EXECUTE format('DELETE FROM public.%I', name);
        EXECUTE format('INSERT INTO public.%I OVERRIDING SYSTEM VALUE TABLE kept_rows.%I', name, 't_' || name);
    END LOOP;
    PERFORM setval(format('public.%I', sequencename), coalesce(last_value, start_value), last_value IS NOT NULL)
        FROM kept_rows.sequences;
END $$
"""

_SHAPE = """
SELECT md5(string_agg(part, '|' ORDER BY part)) FROM (
    SELECT concat_ws(' ', 'class', relname, relkind, relowner, relacl, relrowsecurity, reloptions) AS part
    FROM pg_class WHERE relnamespace = 'public'::regnamespace
    UNION ALL SELECT concat_ws(' ', 'column', attrelid, attname, atttypid, attnotnull, attacl, attgenerated)
    FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid WHERE relnamespace = 'public'::regnamespace
    UNION ALL SELECT concat_ws(' ', 'trigger', tgrelid, tgname, tgenabled, tgfoid) FROM pg_trigger
    UNION ALL SELECT concat_ws(' ', 'constraint', conrelid, conname, pg_get_constraintdef(oid)) FROM pg_constraint
    UNION ALL SELECT concat_ws(' ', 'function', proname, prosrc, proacl, proconfig, prosecdef)
    FROM pg_proc WHERE pronamespace = 'public'::regnamespace
    UNION ALL SELECT concat_ws(' ', 'view', viewname, definition) FROM pg_views WHERE schemaname = 'public'
    UNION ALL SELECT concat_ws(' ', 'schema', nspname, nspacl) FROM pg_namespace WHERE nspname !~ '^pg_'
    UNION ALL SELECT concat_ws(' ', 'setting', setrole, setconfig) FROM pg_db_role_setting
    WHERE setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database())
) AS parts
"""
