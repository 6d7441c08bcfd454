#!/usr/bin/env bash
# Builds the linter into .cache/bin (once; about three minutes on two cores with nothing cached) and prints its path. It is
# not a tool dependency of go.mod: its two hundred modules would weigh on everybody who builds the product.
set -euo pipefail
cd "$(dirname "$0")/.."

version=v2.15.0
tool=$PWD/.cache/bin/golangci-lint-$version
if [ ! -x "$tool" ]; then
  echo "lint: building golangci-lint $version into .cache/bin (about three minutes)" >&2
  work=$PWD/.cache/bin/build.$$
  trap 'rm -rf "$work"' EXIT
  GOBIN=$work go install "github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$version" >&2
  mv "$work/golangci-lint" "$tool" # in one step: an interrupted build leaves nothing half
fi
echo "$tool"
