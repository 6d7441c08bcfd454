/**
 * Detection of the product's count rules as a Kafka Streams program: the peer it is measured beside.
 *
 * <p>What it does for each record of the input topic, exactly once: decode the JSON event; build the canonical string
 * of its eight signed fields, SHA-256 and HMAC-SHA256; set a malformed, tampered or forged event aside in the dead
 * letters with its reason; match it against the built-in rules; keep, per principal and rule, the times of the last
 * matches in a RocksDB store with a changelog; write an alert when the rule's threshold is crossed within its sliding
 * window.
 *
 * <p>What it leaves out, which makes its work less than the product's: second deliveries and id conflicts, late and
 * future events, evidence, episodes with their further revisions and closing, integrity alerts, CloudEvents, rules per
 * organisation. After an alert the same key and rule are silent until holding points pause for longer than the rule's
 * cooldown.
 *
 * <p>A record's way: {@link tocsin.bench.kstreams.Detector} → {@link tocsin.bench.kstreams.Decoder} → {@link
 * tocsin.bench.kstreams.Verifier} → {@link tocsin.bench.kstreams.Rules} → {@link tocsin.bench.kstreams.Windows} →
 * {@link tocsin.bench.kstreams.Output}. One instance of each belongs to each task, so none of them is shared between
 * threads and all reuse their memory. {@link tocsin.bench.kstreams.Settings} has what was tuned and why.
 */
package tocsin.bench.kstreams;
