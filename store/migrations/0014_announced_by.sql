-- Who announced a holiday: an announcement moves what partners owe, so it is known who did it.

ALTER TABLE holidays ADD COLUMN announced_by text NOT NULL DEFAULT 'system';

GRANT INSERT (announced_by) ON holidays TO awda_app;
