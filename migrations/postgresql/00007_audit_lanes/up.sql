-- The trail in lanes. Each writing connection appends to a lane of its own, so that writers neither wait for each other
-- nor conflict; a sealer fixes the order of what is visible shortly after. Records of before stay as they are: they are
-- the lane without a name, whose end audit_head keeps and which grows no more.
SET LOCAL statement_timeout = 0;

ALTER TABLE audit_record RENAME COLUMN seq TO n;
ALTER TABLE audit_record ADD COLUMN lane TEXT COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE audit_record ALTER COLUMN lane DROP DEFAULT;
ALTER TABLE audit_record DROP CONSTRAINT audit_record_pkey;
ALTER TABLE audit_record ADD CONSTRAINT audit_record_pkey PRIMARY KEY (node, lane, n);
DROP INDEX audit_record_at;
CREATE INDEX audit_record_at ON audit_record (at, node, lane, n);

CREATE TRIGGER audit_head_never_changes BEFORE INSERT OR UPDATE ON audit_head
    FOR EACH ROW EXECUTE FUNCTION audit_is_append_only();

-- The order: up to and including its number n, a lane's records come next. `total` counts the records of the node that
-- are sealed with this row; `previous` is the mac of the node's seal before.
CREATE TABLE audit_seal (
    node     TEXT COLLATE "C" NOT NULL,
    seq      BIGINT NOT NULL,
    lane     TEXT COLLATE "C" NOT NULL,
    n        BIGINT NOT NULL,
    hash     TEXT COLLATE "C" NOT NULL,
    total    BIGINT NOT NULL,
    previous TEXT COLLATE "C" NOT NULL,
    mac      TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (node, seq)
);
CREATE UNIQUE INDEX audit_seal_lane ON audit_seal (node, lane, n);
CREATE TRIGGER audit_seal_never_changes BEFORE UPDATE OR DELETE ON audit_seal
    FOR EACH ROW EXECUTE FUNCTION audit_is_append_only();
CREATE TRIGGER audit_seal_never_empties BEFORE TRUNCATE ON audit_seal
    FOR EACH STATEMENT EXECUTE FUNCTION audit_is_append_only();
