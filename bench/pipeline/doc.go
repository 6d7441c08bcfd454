// Package pipeline measures a record's way through the processor without Kafka: prepare, step, changes, apply. It is a
// benchmark alone, to tell what an event costs and where; run it with
//
//	go test ./bench/pipeline -run xxx -bench . -cpu 1
package pipeline
