-- System tables. Moments are text of fixed width in UTC: 2026-01-31T10:20:30.123Z.

CREATE TABLE account (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    version       INTEGER NOT NULL DEFAULT 1,
    name          TEXT    NOT NULL CHECK (name <> ''),
    email         TEXT    NOT NULL CHECK (email <> '' AND email = lower(email)),
    state         TEXT    NOT NULL DEFAULT 'invited' CHECK (state IN ('active', 'blocked', 'invited')),
    active        INTEGER NOT NULL GENERATED ALWAYS AS (state = 'active') STORED,
    password_hash TEXT,
    demo          INTEGER NOT NULL DEFAULT 0 CHECK (demo IN (0, 1)),
    created       TEXT    NOT NULL,
    changed       TEXT    NOT NULL,
    last_seen     TEXT
) STRICT;
CREATE UNIQUE INDEX account_email ON account (email);
CREATE INDEX account_name ON account (name, id);

CREATE TABLE account_role (
    account_id INTEGER NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    user_role  TEXT    NOT NULL,
    granted_by INTEGER REFERENCES account (id) ON DELETE SET NULL,
    granted_at TEXT    NOT NULL,
    PRIMARY KEY (account_id, user_role)
) STRICT, WITHOUT ROWID;
CREATE INDEX account_role_role ON account_role (user_role, account_id);
CREATE INDEX account_role_granted_by ON account_role (granted_by);

CREATE TABLE session (
    id_hash    TEXT NOT NULL PRIMARY KEY,
    account_id INTEGER REFERENCES account (id) ON DELETE CASCADE,
    data       TEXT NOT NULL,
    created    TEXT NOT NULL,
    last_seen  TEXT NOT NULL,
    expires    TEXT NOT NULL,
    address    TEXT NOT NULL,
    agent      TEXT NOT NULL,
    ended      TEXT
) STRICT;
CREATE INDEX session_account ON session (account_id, ended);
CREATE INDEX session_expires ON session (expires);

CREATE TABLE one_time_link (
    id_hash    TEXT NOT NULL PRIMARY KEY,
    purpose    TEXT NOT NULL,
    account_id INTEGER REFERENCES account (id) ON DELETE CASCADE,
    expires    TEXT NOT NULL,
    used       TEXT,
    created    TEXT NOT NULL
) STRICT;
CREATE INDEX one_time_link_account ON one_time_link (account_id);
CREATE INDEX one_time_link_expires ON one_time_link (expires);

CREATE TABLE throttle (
    bucket       TEXT    NOT NULL PRIMARY KEY,
    failures     INTEGER NOT NULL,
    window_start TEXT    NOT NULL,
    locked_until TEXT
) STRICT;
CREATE INDEX throttle_window ON throttle (window_start);

CREATE TABLE audit_record (
    node          TEXT    NOT NULL,
    seq           INTEGER NOT NULL,
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
    PRIMARY KEY (node, seq)
) STRICT;
CREATE INDEX audit_record_at ON audit_record (at, node, seq);
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

CREATE TABLE audit_head (
    node TEXT    NOT NULL PRIMARY KEY,
    seq  INTEGER NOT NULL,
    hash TEXT    NOT NULL,
    mac  TEXT    NOT NULL
) STRICT;
CREATE TRIGGER audit_head_never_leaves BEFORE DELETE ON audit_head
BEGIN
    SELECT RAISE(ABORT, 'the audit trail is append-only');
END;

CREATE TABLE setting (
    key   TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
) STRICT;

CREATE TABLE schema_state (
    id          INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    fingerprint TEXT    NOT NULL,
    applied     TEXT    NOT NULL,
    at          TEXT    NOT NULL
) STRICT;

CREATE TABLE autonumber (
    entity_member TEXT    NOT NULL PRIMARY KEY,
    next          INTEGER NOT NULL
) STRICT;
