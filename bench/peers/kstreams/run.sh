#!/usr/bin/env bash
# Runs the Kafka Streams program that build.sh has built; its settings come by KSTREAMS_* (see Settings.java). Options
# of the Java machine can be added in KSTREAMS_JAVA_OPTS.
set -euo pipefail
cd "$(dirname "$0")/../../.."

home=$PWD/.cache/kstreams
java=java
if [ -n "${JAVA_HOME:-}" ] && [ -x "$JAVA_HOME/bin/java" ]; then java=$JAVA_HOME/bin/java; fi
if [ ! -f "$home/kstreams.jar" ]; then
  echo "kstreams: $home/kstreams.jar is not there: run 'make kstreams'" >&2
  exit 1
fi
options=(
  # Throughput is what is measured, and pauses of tens of milliseconds are lost in a commit interval of 100. The
  # parallel collector has cheaper barriers than G1 at each write of a reference, and no concurrent threads that take a
  # core away.
  -XX:+UseParallelGC
  # A fixed heap: no resizing. Most of it is young, because all but the record cache dies within a commit interval.
  -Xms1g -Xmx1g -Xmn640m
  # Beside a heap of this size the native memory is RocksDB's, bounded in RocksSettings.java, and network buffers.
  -XX:MaxDirectMemorySize=256m
  -XX:+ExitOnOutOfMemoryError
  -XX:-UsePerfData
  -Djava.awt.headless=true
  -Dorg.slf4j.simpleLogger.defaultLogLevel="${KSTREAMS_LOG:-error}"
)
# shellcheck disable=SC2086 # several options in one variable
exec "$java" "${options[@]}" ${KSTREAMS_JAVA_OPTS:-} -cp "$home/kstreams.jar:$home/lib/*" tocsin.bench.kstreams.Main
