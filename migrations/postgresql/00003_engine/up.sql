-- What was generated for which set of rights: a digest of the text it was made from, and of each object as the
-- database keeps it, so that a change by other hands is found.
CREATE TABLE engine_set (
    set_id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    rights TEXT COLLATE "C" NOT NULL,
    digest TEXT COLLATE "C" NOT NULL,
    made   TEXT COLLATE "C" NOT NULL,
    at     TIMESTAMP NOT NULL
);
