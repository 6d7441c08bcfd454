#!/usr/bin/env bash
# Runs every fuzz target of the module, each for the time given (default 10s), as many at once as there are cores, one
# worker each. Counter-examples land in testdata/fuzz of their package, where plain `go test` runs them from then on.
set -euo pipefail
cd "$(dirname "$0")/.."

time=${1:-10s}
programs=$(mktemp -d)
trap 'rm -rf "$programs"' EXIT
corpus=$(go env GOCACHE)/fuzz # where `go test -fuzz` keeps what reached new code

# one runs a target. Inputs that reach new code are made smaller for at most 100 runs and not for a minute, the tool's
# default: where coverage varies from run to run (goroutines, files) that would be all it does.
one() { # package target program
  local log=$3.$2.log
  if (cd "$1" && "$3" -test.run '^$' -test.fuzz "^$2\$" -test.fuzztime "$time" -test.fuzzminimizetime 100x \
    -test.fuzzcachedir "$corpus/$(go list .)" -test.parallel 1) >"$log" 2>&1; then
    echo "fuzz: $1 $2 for $time: $(grep -oE 'execs: [0-9]+' "$log" | tail -1), $(grep -oE 'total: [0-9]+' "$log" | tail -1)"
    return
  fi
  cat "$log"
  # A counter-example is written to a file. Without one it was the fuzzer that ran out of time on a busy machine.
  [ -z "$(git ls-files --others --exclude-standard "$1/testdata/fuzz/$2")" ] || exit 255 # xargs stops
  [ "${4:-}" != again ] || exit 255
  echo "fuzz: $2: no counter-example was written; once more"
  one "$1" "$2" "$3" again
}
export -f one
export time corpus

files=$(git ls-files --cached --others --exclude-standard '*_test.go' | xargs -r grep -lE '^func Fuzz[A-Z]')
for package in $(xargs -n 1 dirname <<<"$files" | sort -u); do
  program=$programs/${package//\//-}.test
  go test -c -fuzz . -o "$program" "./$package" >&2
  sed -nE 's/^func (Fuzz[A-Za-z0-9_]*)\(.*/\1/p' "$package"/*_test.go | sed "s,^,$package ,; s,\$, $program,"
done >"$programs/targets"
[ -s "$programs/targets" ] || { echo "fuzz: no target found" >&2; exit 1; }
xargs -P "$(nproc)" -L 1 bash -c 'set -euo pipefail; one "$@"' one <"$programs/targets"
echo "fuzz: $(wc -l <"$programs/targets") targets, $time each"
