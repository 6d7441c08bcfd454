#!/usr/bin/env bash
# Sees to it that what is needed is there. For the tests: Go, Java, Maven, PostgreSQL's server programs, Redis and Apache
# Kafka's jars; with the argument "race" a C compiler, too, with "image" what builds a container image; with "demo" Go
# and PostgreSQL alone, with "bare" Go and what makes the root folder of a Debian. What is there already is left alone.
# What is missing is installed on Debian and Ubuntu as root, after saying what; anywhere else the script says how to get
# it, and fails.
set -euo pipefail
cd "$(dirname "$0")/.."

want_go=$(sed -n 's/^go //p' go.mod)
want_java=17
for=${1:-test}
missing=()  # Debian's packages
problems=() # what to tell somebody who is not root on Debian

need() { # package, what it is for, how to get it elsewhere
  missing+=("$1")
  problems+=("$2: on Debian or Ubuntu 'apt-get install $1'; $3")
}

newer_or_same() { [ "$(printf '%s\n%s\n' "$1" "$2" | sort -V | head -n 1)" = "$1" ]; } # $1 <= $2

check_go() {
  local have
  if ! have=$(go env GOVERSION 2>/dev/null) || ! newer_or_same "$want_go" "${have#go}"; then
    # Debian's own Go is too old, and a tool chain is nothing to install behind somebody's back.
    echo "setup: Go $want_go or newer is needed (found: ${have:-none}): see https://go.dev/doc/install" >&2
    exit 1
  fi
  echo "setup: Go        ${have#go}"
}

check_cc() {
  if command -v "$(go env CC)" >/dev/null; then
    echo "setup: C         $(go env CC)"
  else
    need gcc "a C compiler (for the race detector)" "elsewhere any that 'go env CC' names"
  fi
}

check_image() {
  local tool
  # What buildah recommends besides (networks, overlays) is not used here.
  for tool in buildah busybox; do
    if command -v $tool >/dev/null; then
      echo "setup: $(printf %-9s $tool) $(command -v $tool)"
    else
      need "${tool/busybox/busybox-static}" "$tool (to build the container image)" "elsewhere from your system's packages"
    fi
  done
}

check_bare() {
  if command -v debootstrap >/dev/null; then
    echo "setup: debootstrap $(command -v debootstrap)"
  else
    need debootstrap "debootstrap (to make a bare Debian)" "elsewhere from your system's packages"
  fi
}

check_java() {
  local java=java have
  if [ -n "${JAVA_HOME:-}" ] && [ -x "$JAVA_HOME/bin/java" ]; then java=$JAVA_HOME/bin/java; fi
  # The first line is like: openjdk version "17.0.15" 2025-04-15
  have=$("$java" -version 2>&1 | sed -n 's/.* version "\([0-9.]*\).*/\1/p' | head -n 1) || true
  if [ -n "$have" ] && newer_or_same "$want_java" "$have"; then
    echo "setup: Java      $have"
  else
    need default-jre-headless "Java $want_java or newer (found: ${have:-none})" \
      "elsewhere a JDK from your system's packages, named in JAVA_HOME"
  fi
}

check_maven() {
  if [ -f ".cache/kafka-$kafka/.complete" ] || [ -n "${TOCSIN_KAFKA_JARS:-}" ]; then return; fi # nothing to fetch
  if command -v mvn >/dev/null; then
    echo "setup: Maven     $(command -v mvn)"
  else
    need maven "Maven (to fetch Apache Kafka)" "elsewhere from your system's packages, or name a folder of Kafka's jars in TOCSIN_KAFKA_JARS"
  fi
}

check_postgres() {
  local dir
  for dir in "${TOCSIN_PG_BIN:-}" "$(pg_config --bindir 2>/dev/null || true)" /usr/lib/postgresql/*/bin \
      "$(dirname "$(command -v initdb || echo /none/initdb)")"; do
    if [ -n "$dir" ] && [ -x "$dir/initdb" ] && [ -x "$dir/postgres" ]; then
      echo "setup: Postgres  $dir"
      return
    fi
  done
  need postgresql "PostgreSQL's server programs" "on macOS 'brew install postgresql'; or name their folder in TOCSIN_PG_BIN"
}

check_redis() {
  local program
  # Debian's redis-tools holds the server as well, under the name of the checker, and no service that would be started.
  for program in "${TOCSIN_REDIS_SERVER:-}" "$(command -v redis-server)" "$(command -v redis-check-rdb)"; do
    if [ -n "$program" ] && [ -x "$program" ]; then
      echo "setup: Redis     $program"
      return
    fi
  done
  need redis-tools "Redis's server program" "on macOS 'brew install redis'; or name the program in TOCSIN_REDIS_SERVER"
}

install_missing() {
  [ ${#missing[@]} -gt 0 ] || return 0
  if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null || [ ! -f /etc/debian_version ]; then
    echo "setup: the tests need what is not here:" >&2
    printf 'setup:   - %s\n' "${problems[@]}" >&2
    exit 1
  fi
  echo "setup: installing with apt-get: ${missing[*]}"
  export DEBIAN_FRONTEND=noninteractive
  # Debian's PostgreSQL makes a database cluster of its own when installed. Nothing here uses it: leave it out.
  if [[ " ${missing[*]} " == *" postgresql "* ]] && [ ! -e /etc/postgresql-common/createcluster.conf ]; then
    mkdir -p /etc/postgresql-common/createcluster.d
    echo "create_main_cluster = false" >/etc/postgresql-common/createcluster.d/no-main-cluster.conf
    echo "setup: (without the database cluster that Debian makes by default; see /etc/postgresql-common/createcluster.d)"
  fi
  apt-get update -qq </dev/null
  apt-get install -y -qq --no-install-recommends "${missing[@]}" </dev/null >"$log" 2>&1 ||
    { cat "$log" >&2; echo "setup: apt-get failed; its messages are above" >&2; exit 1; }
}

kafka=$(sed -n 's/^version=//p' .ci/kafka-jars.sh)
mkdir -p .cache
log=.cache/apt.log

check_all() {
  missing=() problems=()
  check_go
  if [ "$for" = bare ]; then check_bare; return; fi
  check_postgres
  if [ "$for" = demo ]; then return; fi
  if [ "$for" = race ]; then check_cc; fi
  if [ "$for" = image ]; then check_image; fi
  check_java
  check_maven
  check_redis
}
check_all
if [ ${#missing[@]} -gt 0 ]; then
  install_missing
  check_all # what was installed must now be found
  if [ ${#missing[@]} -gt 0 ]; then
    printf 'setup: still missing after the installation: %s\n' "${problems[@]}" >&2
    exit 1
  fi
fi
if [ "$for" != demo ] && [ "$for" != bare ] && [ -z "${TOCSIN_KAFKA_JARS:-}" ]; then .ci/kafka-jars.sh; fi
