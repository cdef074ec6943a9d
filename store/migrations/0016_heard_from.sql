-- What a partner said since a moment, for whoever asks again and again what it has missed.

CREATE INDEX inbox_heard_from ON inbox (source, settled_at) WHERE kind = 'signal' AND settled_at IS NOT NULL;
