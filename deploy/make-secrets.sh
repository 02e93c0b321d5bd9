#!/bin/sh
# Makes the secret files of compose.yaml, once: passwords, keys, and the API key of the first administrator.
#
#   deploy/make-secrets.sh [FOLDER]      default: secrets, beside this script
#
# The folder is its owner's alone (0700). The files in it can be read (0444), since the programs in the containers, which
# see no more than their own files, run as other users.
set -eu
umask 077
folder=${1:-$(dirname "$0")/secrets}
image=${GATEWAY_IMAGE:-facefleet-gateway:latest}
engine=${ENGINE:-$(command -v docker || command -v podman)}
if [ -e "$folder" ]; then
    echo "$folder is there already; nothing was changed." >&2
    exit 1
fi
part=$folder.part
rm -rf "$part"
mkdir -p "$part"
trap 'rm -rf "$part"' EXIT

random() {
    od -An -N32 -tx1 /dev/urandom | tr -d ' \n'
}
password=$(random) queue=$(random) access=$(random) secret=$(random)

printf '%s' "$password" > "$part/postgres_password"
random > "$part/key_secrets"
cat > "$part/valkey.conf" <<END
dir /data
appendonly yes
save ""
maxmemory-policy noeviction
requirepass $queue
END
cat > "$part/s3.json" <<END
{"identities": [{"name": "facefleet", "credentials": [{"accessKey": "$access", "secretKey": "$secret"}],
                 "actions": ["Admin", "Read", "Write", "List", "Tagging"]}]}
END
cat > "$part/facefleet.toml" <<END
[records]
url = "postgresql://facefleet:$password@postgres/facefleet"
[queue]
url = "redis://:$queue@valkey:6379/0"
[objects]
url = "s3://photos"
endpoint = "http://seaweedfs:8333"
region = "us-east-1"
access_key = "$access"
secret_key = "$secret"
END
# The image knows what a key looks like.
"$engine" run --rm --network none --no-healthcheck --entrypoint python3 "$image" -c \
    'from facefleet.access.keys import new_key; print(new_key(test=False).text)' > "$part/admin.key"

chmod 0444 "$part"/*
mv "$part" "$folder"
echo "The secrets are in $folder. The key of the first administrator: $folder/admin.key"
