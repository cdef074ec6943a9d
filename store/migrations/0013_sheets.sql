-- Sheets: which were handed out, which referral each row stands for, and what came back on it. Nothing personal.

CREATE TABLE sheets (
    sheet_id   uuid PRIMARY KEY,
    kind       text NOT NULL,
    partner_id text NOT NULL REFERENCES partners,
    movement   text,
    issued_by  text NOT NULL,
    issued_at  timestamptz NOT NULL DEFAULT awda_now()
);

CREATE TABLE sheet_rows (
    row_code    text PRIMARY KEY,  -- opaque: what stands on the paper
    sheet_id    uuid NOT NULL REFERENCES sheets,
    stream_id   uuid NOT NULL,
    referral_id text NOT NULL,
    kind        text NOT NULL,     -- of the referral; only kinds without a secret stand on sheets
    UNIQUE (sheet_id, referral_id)
);

-- One line is one thing that came back in one row: the same again is the same line, a correction is another.
CREATE TABLE sheet_lines (
    line_id    uuid PRIMARY KEY,
    row_code   text NOT NULL REFERENCES sheet_rows,
    part       text NOT NULL,      -- result, withdrawal or concern
    message_id uuid NOT NULL,
    arrival    bigserial
);

CREATE INDEX sheet_lines_of_row ON sheet_lines (row_code, part, arrival);
CREATE INDEX referral_tokens_of_partner ON referral_tokens (partner_id);

GRANT SELECT, INSERT ON sheets, sheet_rows TO awda_app;
GRANT SELECT, INSERT (line_id, row_code, part, message_id) ON sheet_lines TO awda_app;
GRANT USAGE ON SEQUENCE sheet_lines_arrival_seq TO awda_app;
GRANT SELECT ON sheets, sheet_rows, sheet_lines TO awda_reader;
