-- What the nodes of one installation share besides people and data. Each row is written by whichever node did something,
-- and read by the others within a second.

-- Levels that were set while running; they win over the settings. An empty level follows the node above. '*' is the root.
CREATE TABLE node_log_level (
    log_node TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    level    TEXT COLLATE "C"
);

-- Public copies. Each node keeps them in memory and looks for newer numbers.
CREATE TABLE node_snapshot (
    name    TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    number  BIGINT NOT NULL,
    content TEXT COLLATE "C" NOT NULL
);

-- When each scheduled event last began, on whichever node. The row is locked while the event runs. Empty: it never ran.
CREATE TABLE node_run (
    event   TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    started TIMESTAMP(3),
    node    TEXT COLLATE "C"
);

-- Registration letters of the last hour, for counting. The process is a random word, another for each start.
CREATE TABLE node_letter (
    process TEXT COLLATE "C" NOT NULL,
    address TEXT COLLATE "C" NOT NULL,
    at      TIMESTAMP(3) NOT NULL
);
CREATE INDEX node_letter_at ON node_letter (at);
