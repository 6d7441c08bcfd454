#!/usr/bin/env bash
# The short set of `make bench`: under ten minutes in all on a laptop with two cores. Results go to the folder that is
# given, bench/results by default. A scenario that fails does not keep the others from being measured; the script fails
# then at its end.
set -euo pipefail
cd "$(dirname "$0")/.."
report=${1:-bench/results}
programs=.cache/bench
mkdir -p "$programs"
go build -o "$programs/" ./bench/load ./bench/sweep

failed=()
scenario() { # name, command …
  local began=$SECONDS name=$1
  shift
  echo "== $name: $*"
  "$@" -report "$report" || failed+=("$name")
  echo "== $name: $((SECONDS - began)) s"
}

# One line a scenario; each starts a broker of its own. What is shorter than by default is said here.
scenario throughput "$programs/load" -records 1000000 -rounds 3 -calm 5s
scenario latency "$programs/sweep" latency -search=false -rates 20000 -records 1000000 -warm 3 -rounds 2 -duration 20s -lead 20s -calm 5s
scenario hotkey "$programs/sweep" hotkey -records 500000 -warm 3 -rounds 2 -calm 5s

if ((${#failed[@]})); then
  echo "bench: failed: ${failed[*]}" >&2
  exit 1
fi
echo "bench: all of it in $SECONDS s"
