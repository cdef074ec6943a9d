-- "Somebody was faster: read again and decide again." Raised from inside a recording's statement, it undoes all of it.

CREATE FUNCTION stale(p_stream uuid) RETURNS timestamptz LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'stream % has moved, or a message to it is settled already', p_stream USING ERRCODE = 'AW001';
END
$$;
