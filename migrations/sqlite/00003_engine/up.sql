-- What was generated for which set of rights: a digest of the text it was made from, and of each object as the
-- database keeps it, so that a change by other hands is found.
CREATE TABLE engine_set (
    set_id TEXT NOT NULL PRIMARY KEY,
    rights TEXT NOT NULL,
    digest TEXT NOT NULL,
    made   TEXT NOT NULL,
    at     TEXT NOT NULL
) STRICT;
