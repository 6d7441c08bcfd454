#!/usr/bin/env bash
# Runs every fuzz target of the module, each for the time given (default 10s). Counter-examples land in testdata/fuzz of
# their package, where plain `go test` runs them from then on.
set -euo pipefail
cd "$(dirname "$0")/.."

time=${1:-10s}
ran=0
packages=$(git ls-files --cached --others --exclude-standard '*_test.go' | xargs -r grep -lE '^func Fuzz[A-Z]' |
  xargs -r -n 1 dirname | sort -u)
for package in $packages; do
  for target in $(go test -list '^Fuzz' "./$package" | grep '^Fuzz'); do
    echo "fuzz: $package $target for $time"
    go test -run '^$' -fuzz "^$target\$" -fuzztime "$time" "./$package"
    ran=$((ran + 1))
  done
done
echo "fuzz: $ran targets, $time each"
[ "$ran" -gt 0 ] || { echo "fuzz: no target found" >&2; exit 1; }
