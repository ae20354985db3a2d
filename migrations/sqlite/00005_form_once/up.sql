-- Forms that made something new and were carried out: a form does that once, on whichever node it arrives. What is kept
-- of a form is a hash of the random word in its sealed state; and where its sender was led, so that whoever sends it
-- again is led there too. A row is forgotten when the state could not be opened any more.
CREATE TABLE form_once (
    form_hash TEXT NOT NULL PRIMARY KEY,
    until     TEXT NOT NULL,
    led_to    TEXT
) STRICT;
CREATE INDEX form_once_until ON form_once (until);
