#!/bin/sh
# Run once by the database's image, when the volume is new: the database, the role that owns it (only `migrate` knows
# its password), and the role that the nodes log in as. That one owns nothing and inherits nothing; `portcullis
# migrate` lets it take on the roles that the server works with.
set -eu
secrets=${SECRETS:-/run/secrets}
psql --no-psqlrc --set=ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname postgres \
    --set=owner="$(cat "$secrets/owner_password")" --set=server="$(cat "$secrets/server_password")" <<'SQL'
CREATE ROLE portcullis_owner LOGIN CREATEROLE NOINHERIT PASSWORD :'owner';
CREATE ROLE portcullis_server LOGIN NOINHERIT PASSWORD :'server';
CREATE DATABASE portcullis OWNER portcullis_owner;
REVOKE ALL ON DATABASE portcullis FROM PUBLIC;
GRANT CONNECT ON DATABASE portcullis TO portcullis_server;
ALTER DATABASE portcullis SET lc_messages = 'C';
\connect portcullis
REVOKE CREATE ON SCHEMA public FROM PUBLIC;
ALTER SCHEMA public OWNER TO portcullis_owner;
SQL
