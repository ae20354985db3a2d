#!/bin/sh
# Makes the secrets that docker-compose.yml names, once. The folder is for its owner only; the two files in it are
# readable, because each container sees only those it is given and reads them under a user of its own.
set -eu
cd "$(dirname "$0")/.."
if [ -e secrets ]; then
    echo "secrets/ is there already; nothing was changed" >&2
    exit 0
fi
umask 077
mkdir secrets
password=$(head -c 24 /dev/urandom | base64 | tr '+/' '-_')
printf '%s' "$password" > secrets/database_password
printf 'postgres://portcullis:%s@/portcullis?host=/var/run/postgresql' "$password" > secrets/database_url
chmod 644 secrets/database_password secrets/database_url
echo "made secrets/database_password and secrets/database_url"
