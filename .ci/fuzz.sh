#!/usr/bin/env bash
# Runs every fuzz target of the module, each for the time given (default 10s). Counter-examples land in testdata/fuzz of
# their package, where plain `go test` runs them from then on.
set -euo pipefail
cd "$(dirname "$0")/.."

time=${1:-10s}
# Inputs that reach new code are made smaller for at most 100 runs and not for a minute, the tool's default: where coverage
# varies from run to run (goroutines, files) that would be all it does.
fuzz() { go test -run '^$' -fuzz "^$2\$" -fuzztime "$time" -fuzzminimizetime 100x "./$1"; }
ran=0
packages=$(git ls-files --cached --others --exclude-standard '*_test.go' | xargs -r grep -lE '^func Fuzz[A-Z]' |
  xargs -r -n 1 dirname | sort -u)
for package in $packages; do
  for target in $(go test -list '^Fuzz' "./$package" | grep '^Fuzz'); do
    echo "fuzz: $package $target for $time"
    if ! fuzz "$package" "$target"; then
      # A counter-example is written to a file. Without one it was the fuzzer that ran out of time on a busy machine.
      [ -z "$(git ls-files --others --exclude-standard "$package/testdata/fuzz/$target")" ] || exit 1
      echo "fuzz: no counter-example was written; once more"
      fuzz "$package" "$target"
    fi
    ran=$((ran + 1))
  done
done
echo "fuzz: $ran targets, $time each"
[ "$ran" -gt 0 ] || { echo "fuzz: no target found" >&2; exit 1; }
