-- Mail that a committed deed wants sent. A row is there before the first try, so nothing is lost when the mail server is down.
CREATE TABLE mail_queue (
    id        INTEGER PRIMARY KEY AUTOINCREMENT,
    recipient TEXT NOT NULL,
    subject   TEXT NOT NULL,
    body      TEXT NOT NULL,
    attempts  INTEGER NOT NULL DEFAULT 0,
    due       TEXT NOT NULL
);
CREATE INDEX mail_queue_due ON mail_queue (due);
