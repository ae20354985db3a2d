-- Names are compared without regard to case and composition. Both databases' own functions know neither, so the program
-- computes these columns: the key of the address, and what address and name look like. Empty: not computed yet. A key
-- that begins with a space belongs to an older account whose address differs from another's in case or composition only.
ALTER TABLE account ADD COLUMN email_key TEXT;
ALTER TABLE account ADD COLUMN email_look TEXT;
ALTER TABLE account ADD COLUMN name_look TEXT;
CREATE UNIQUE INDEX account_email_key ON account (email_key);
CREATE INDEX account_email_look ON account (email_look);
CREATE INDEX account_name_look ON account (name_look);

-- The moments of the attempts that count (milliseconds since 1970, oldest first), and how many were refused since the
-- last one that was admitted. The window slides: an attempt counts until it is as old as the window is long.
ALTER TABLE throttle ADD COLUMN attempts TEXT NOT NULL DEFAULT '';
ALTER TABLE throttle ADD COLUMN refusals INTEGER NOT NULL DEFAULT 0;

-- Registration letters also count for their recipient, whose address is not readable here. The address of the asker is
-- its network: an IPv4 address, or the /64 of an IPv6 address.
ALTER TABLE node_letter ADD COLUMN recipient TEXT;
