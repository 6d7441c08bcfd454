#!/usr/bin/env bash
# Builds and tests the Kafka Streams program into .cache/kstreams through Maven. Does nothing when what is there was
# built from the sources as they are.
set -euo pipefail
cd "$(dirname "$0")"

home=$PWD/../../../.cache/kstreams
built=$(find . -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum | sha256sum)
if [ -f "$home/.complete" ] && [ "$(cat "$home/.complete")" = "$built" ]; then
  echo "kstreams: $(realpath --relative-to="$PWD/../../.." "$home")/kstreams.jar is up to date"
  exit 0
fi
if ! command -v mvn >/dev/null || ! command -v javac >/dev/null; then
  echo "kstreams: Maven and a JDK, 17 or newer, are needed: on Debian or Ubuntu" \
    "'apt-get install maven default-jdk-headless'" >&2
  exit 1
fi

echo "kstreams: building through Maven into .cache/kstreams (the first time fetches about 90 MB: two minutes)"
mkdir -p "$home"
rm -rf "$home/.complete" "$home/target"
# A registry may fail once: try three times, unless it is the code that fails.
for try in 1 2 3; do
  if mvn --batch-mode --no-transfer-progress -Dstyle.color=never -Dhome="$home" package \
      </dev/null >"$home/maven.log" 2>&1; then
    break
  fi
  if [ "$try" = 3 ] || ! grep -q -e 'Could not transfer' -e 'could not be resolved' "$home/maven.log"; then
    grep -E '^\[(WARNING|ERROR)\]' "$home/maven.log" | cut -c 1-300 | head -n 40 >&2
    echo "kstreams: Maven failed; its first complaints are above, all of them in $home/maven.log" >&2
    exit 1
  fi
  sleep $((try * 5))
done
grep 'Tests run' "$home/maven.log" | tail -n 1 | sed 's/^\[INFO\] /kstreams: /'
rm -rf "$home/lib"
mv "$home/target/lib" "$home/target/kstreams.jar" "$home/"
rm -rf "$home/target"
echo "$built" >"$home/.complete"
