// Package throughput measures how fast and at what cost the events of a topic are judged, from the start of a process
// until its group has committed the topic's end: by the job (the processor with all its rules), by a bare loop that
// consumes, decodes, verifies and commits and does nothing else, or by the Kafka Streams program of bench/peers.
//
// A program that measures must call [Child] before anything else, for it starts itself once more as the process to be
// measured. [Input.Fill] makes the topic, [Measure] a [Sample]; [Metrics] and [Sample.Values] are what is reported of
// it.
package throughput
