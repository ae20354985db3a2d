-- The trail in lanes. Each writing connection appends to a lane of its own, and a sealer fixes the order of what is visible
-- shortly after. Records of before stay as they are: they are the lane without a name, whose end audit_head keeps and
-- which grows no more.
CREATE TABLE audit_record_in_lanes (
    node          TEXT    NOT NULL,
    lane          TEXT    NOT NULL,
    n             INTEGER NOT NULL,
    at            TEXT    NOT NULL,
    severity      INTEGER NOT NULL,
    event         TEXT    NOT NULL,
    caller        INTEGER,
    caller_name   TEXT,
    object        TEXT,
    summary       TEXT    NOT NULL,
    details       TEXT    NOT NULL,
    request_id    TEXT,
    previous_hash TEXT    NOT NULL,
    hash          TEXT    NOT NULL,
    PRIMARY KEY (node, lane, n)
) STRICT;
INSERT INTO audit_record_in_lanes
    SELECT node, '', seq, at, severity, event, caller, caller_name, object, summary, details, request_id, previous_hash, hash
    FROM audit_record;
DROP TABLE audit_record;
ALTER TABLE audit_record_in_lanes RENAME TO audit_record;
CREATE INDEX audit_record_at ON audit_record (at, node, lane, n);
CREATE INDEX audit_record_caller ON audit_record (caller, event, at);
CREATE INDEX audit_record_caller_name ON audit_record (caller_name, event, at);
CREATE INDEX audit_record_event ON audit_record (event, at);
CREATE INDEX audit_record_object ON audit_record (object, at);
CREATE INDEX audit_record_request ON audit_record (request_id);

CREATE TRIGGER audit_record_never_changes BEFORE UPDATE ON audit_record
BEGIN
    SELECT RAISE(ABORT, 'the audit trail is append-only');
END;
CREATE TRIGGER audit_record_never_leaves BEFORE DELETE ON audit_record
BEGIN
    SELECT RAISE(ABORT, 'the audit trail is append-only');
END;
CREATE TRIGGER audit_head_never_changes BEFORE UPDATE ON audit_head
BEGIN
    SELECT RAISE(ABORT, 'the audit trail is append-only');
END;
CREATE TRIGGER audit_head_never_grows BEFORE INSERT ON audit_head
BEGIN
    SELECT RAISE(ABORT, 'the audit trail is append-only');
END;

-- The order: up to and including its number n, a lane's records come next. `total` counts the records of the node that
-- are sealed with this row; `previous` is the mac of the node's seal before.
CREATE TABLE audit_seal (
    node     TEXT    NOT NULL,
    seq      INTEGER NOT NULL,
    lane     TEXT    NOT NULL,
    n        INTEGER NOT NULL,
    hash     TEXT    NOT NULL,
    total    INTEGER NOT NULL,
    previous TEXT    NOT NULL,
    mac      TEXT    NOT NULL,
    PRIMARY KEY (node, seq)
) STRICT;
CREATE UNIQUE INDEX audit_seal_lane ON audit_seal (node, lane, n);
CREATE TRIGGER audit_seal_never_changes BEFORE UPDATE ON audit_seal
BEGIN
    SELECT RAISE(ABORT, 'the audit trail is append-only');
END;
CREATE TRIGGER audit_seal_never_leaves BEFORE DELETE ON audit_seal
BEGIN
    SELECT RAISE(ABORT, 'the audit trail is append-only');
END;
