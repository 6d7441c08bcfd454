#!/bin/sh
# Makes the secrets of deploy/compose.yaml: one file each in deploy/compose/secrets (or the folder given). Those that
# are there are left alone. Only the owner may look into the folder; the files themselves are readable, because
# containers see them as they are here, and each reads them as a user of its own.
set -eu
dir=${1:-$(dirname "$0")/secrets}

random() { od -An -N32 -tx1 /dev/urandom | tr -d ' \n'; }
make() { # name, content
  [ -e "$dir/$1" ] || { printf '%s\n' "$2" >"$dir/$1" && chmod 0444 "$dir/$1"; }
}

mkdir -p "$dir"
chmod 0700 "$dir"
make hmac-secret "$(random)"
make postgres-admin-password "$(random)"
make postgres-password "$(random)"
make postgres-admin-url "postgres://postgres:$(cat "$dir/postgres-admin-password")@postgres:5432/tocsin?sslmode=disable"
make postgres-url "postgres://tocsin:$(cat "$dir/postgres-password")@postgres:5432/tocsin?sslmode=disable"
make redis-password "$(random)"
# The rights are those of deploy/docs/live.md. Evicted keys would be missed by nobody: rather refuse what does not fit.
make redis-conf "user default off
user tocsin on >$(cat "$dir/redis-password") resetkeys ~tocsin:* resetchannels nocommands +ping +select +eval +evalsha +hget \
+hmget +hset +hlen +hexists +hincrby +hdel +hvals +hgetall +zadd +zrem +zrange +zrangebyscore +zremrangebyscore \
+zremrangebyrank +incrby +set +mget +expire +expireat
maxmemory 64mb
maxmemory-policy noeviction
save \"\"
appendonly no"
echo "the secrets are in $dir"
