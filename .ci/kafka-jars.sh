#!/usr/bin/env bash
# Brings Apache Kafka's jars into .cache/kafka-<version>/ through Maven and checks each against .ci/kafka/jars.sha256.
# Does nothing when they are there and right. With --update it writes the sums anew (after a change of version).
set -euo pipefail
cd "$(dirname "$0")/.."

version=4.3.1
target=.cache/kafka-$version
sums=$PWD/.ci/kafka/jars.sha256

verify() { (cd "$1" && sha256sum --check --strict --quiet "$sums") >/dev/null 2>&1; }

if [ "${1:-}" != --update ] && [ -f "$target/.complete" ] && cmp -s "$target/.complete" "$sums"; then
  echo "kafka: $version is in $target"
  exit 0
fi
if ! command -v mvn >/dev/null; then
  echo "kafka: Maven (mvn) is needed to fetch Apache Kafka $version; run 'make setup'" >&2
  exit 1
fi

echo "kafka: fetching Apache Kafka $version through Maven into $target (about 45 MB, about a minute)"
mkdir -p .cache
work=$(mktemp -d .cache/kafka.XXXXXX)
trap 'rm -rf "$work"' EXIT
# The pom is copied so that Maven leaves nothing in the source folder. A registry may fail once: try three times.
cp .ci/kafka/pom.xml "$work/pom.xml"
for try in 1 2 3; do
  if mvn --batch-mode --no-transfer-progress -Dstyle.color=never -f "$work/pom.xml" dependency:copy-dependencies \
      -DincludeScope=runtime -DoutputDirectory="$PWD/$work/jars" </dev/null >"$work/maven.log" 2>&1; then
    break
  fi
  if [ "$try" = 3 ]; then
    grep -E 'WARN|ERROR' "$work/maven.log" | cut -c 1-300 | head -n 20 >&2
    echo "kafka: Maven could not fetch the jars; its first complaints are above" >&2
    exit 1
  fi
  sleep $((try * 5))
done

if [ "${1:-}" = --update ]; then
  (cd "$work/jars" && LC_ALL=C sha256sum -- *.jar) >"$sums"
fi
if ! verify "$work/jars"; then
  echo "kafka: the jars fetched differ from .ci/kafka/jars.sha256:" >&2
  (cd "$work/jars" && sha256sum --check --strict --quiet "$sums") >&2 || true
  exit 1
fi
cp "$sums" "$work/jars/.complete"
rm -rf "$target"
mv "$work/jars" "$target"
echo "kafka: $version is in $target"
