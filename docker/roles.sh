#!/bin/sh
# Run once by the database's image, when the volume is new: the role that the server logs in as. It owns nothing and
# inherits nothing; `portcullis migrate` lets it take on the roles that the server works with.
set -eu
psql --set=ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" \
    --set=password="$(cat /run/secrets/server_password)" <<'SQL'
CREATE ROLE server LOGIN NOINHERIT PASSWORD :'password';
SQL
