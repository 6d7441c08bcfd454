// Package kafkatest runs a real Apache Kafka broker for tests and for the load program: one node, in KRaft mode,
// from the jars that `make kafka-jars` brings. A start takes about 6 s on 2 cores and about 350 MB.
//
// Tests call Shared for the one broker of their test program, or Start for a broker of their own that they may kill,
// pause and restart. Where Java or the jars are missing they fail and say what to do: they never skip. A package that
// uses Shared ends the broker in its TestMain, by Main or goleak.VerifyTestMain(kafkatest.Wrap(m)).
//
// With Config.Security its clients need TLS, a user and, if wanted, a certificate, all of which are made for the test.
//
// The broker has settings for tests: internal topics with one replica and few partitions, no delay before the first
// rebalance, no automatic creation of topics, timed-out transactions looked for every second, record batches of up to
// 10 MiB.
package kafkatest
