#!/bin/sh
# Makes the secrets that docker-compose.yml names, once. The folder is for its owner only; the files in it are
# readable, because each container sees only those it is given and reads them under a user of its own.
set -eu
cd "$(dirname "$0")/.."
if [ -e secrets ]; then
    echo "secrets/ is there already; nothing was changed" >&2
    exit 0
fi
umask 077
mkdir secrets
word() { head -c 24 /dev/urandom | base64 | tr '+/' '-_'; }
owner=$(word)
server=$(word)
word > secrets/database_password
printf '%s' "$owner" > secrets/owner_password
printf '%s' "$server" > secrets/server_password
printf 'postgres://portcullis_owner:%s@/portcullis?host=/var/run/postgresql' "$owner" > secrets/database_owner_url
printf 'postgres://portcullis_server:%s@/portcullis?host=/var/run/postgresql' "$server" > secrets/database_url
chmod 644 secrets/*
echo "made the secrets of the database, its owner and the server in secrets/"
