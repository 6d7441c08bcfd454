package topics_test

import (
	"encoding/json"
	"testing"

	"tocsin/topics"
)

// typical is an event of about 750 bytes as the upstream worker's producers write it.
const typical = `{"timestamp":"2026-03-14T09:26:53.589Z","action":"fhir.patient.read","status":"success",` +
	`"id":"0195a1c2-7b34-7c1e-9f40-6f2d8f1f7a11","principalId":"dr-katherine.osei@stmarys.example",` +
	`"organizationId":"org-st-marys","targetResourceType":"Patient","targetResourceId":"patient-00429317",` +
	`"outcomeDescription":"Patient record read","eventVersion":"1.0","dataClassification":"PHI",` +
	`"sessionContext":{"sessionId":"sess-8f14e45fceea167a","ipAddress":"10.20.31.42",` +
	`"userAgent":"Mozilla/5.0 (X11; Linux x86_64)"},"recordCount":1,"retentionPolicy":"hipaa-6-years",` +
	`"hash":"d888e0a76a3e1a89e15bb5f51b5a308fc54b86f95354b97f6bb9fa2b373cc798","hashAlgorithm":"SHA-256",` +
	`"signature":"0aff3b34e32951a4d6d3639f4f4a508cf1807b3fa13c3e29f2c62b63c95f7b70","algorithm":"HMAC-SHA256"}`

func BenchmarkDecode(b *testing.B) {
	value := []byte(typical)
	var e topics.Event
	lim := topics.DefaultLimits()
	b.ReportAllocs()
	b.SetBytes(int64(len(value)))
	for b.Loop() {
		if r, err := e.Decode(value, nil, lim); r != topics.ReasonNone {
			b.Fatal(r, err)
		}
	}
}

func BenchmarkIdentity(b *testing.B) {
	var e topics.Event
	if r, err := e.Decode([]byte(typical), nil, topics.DefaultLimits()); r != topics.ReasonNone {
		b.Fatal(r, err)
	}
	b.ReportAllocs()
	for b.Loop() {
		e.Identity()
	}
}

func BenchmarkJSONValid(b *testing.B) {
	value := []byte(typical)
	b.ReportAllocs()
	b.SetBytes(int64(len(value)))
	for b.Loop() {
		json.Valid(value)
	}
}
