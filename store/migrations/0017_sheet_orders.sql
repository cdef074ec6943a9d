-- Which sheet was asked for under which key: a repetition, even on another day, is for the same one.

CREATE TABLE sheet_orders (
    order_id uuid PRIMARY KEY,  -- from who asked and under which idempotency key
    sheet_id uuid NOT NULL REFERENCES sheets
);

GRANT SELECT, INSERT ON sheet_orders TO awda_app;
GRANT SELECT ON sheet_orders TO awda_reader;
