package simulate

import (
	"encoding/binary"
	"errors"
	"fmt"
	"reflect"

	"github.com/twmb/franz-go/pkg/kbin"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// request is one request on the wire.
type request struct {
	key     kmsg.Key
	version int16
	body    kmsg.Request // decoded; nil for kinds that no fault is about
	fault   *Wire        // what becomes of its answer; nil: nothing
}

// watched are the kinds of requests that faults and points are about.
var watched = map[kmsg.Key]bool{
	kmsg.Produce: true, kmsg.TxnOffsetCommit: true, kmsg.EndTxn: true, kmsg.Heartbeat: true, kmsg.JoinGroup: true,
	kmsg.SyncGroup: true, kmsg.LeaveGroup: true, kmsg.OffsetFetch: true, kmsg.InitProducerID: true, kmsg.ListOffsets: true,
}

// newRequest reads a request's header: api key, version, correlation id, client id, and tags where the version is
// flexible (Kafka protocol guide, request header versions 1 and 2).
func newRequest(b []byte) *request {
	r := &request{key: -1}
	if len(b) < 8 {
		return r
	}
	r.key, r.version = kmsg.Key(int16(binary.BigEndian.Uint16(b))), int16(binary.BigEndian.Uint16(b[2:]))
	if !watched[r.key] {
		return r
	}
	body := kmsg.RequestForKey(int16(r.key))
	body.SetVersion(r.version)
	rest := kbin.Reader{Src: b[8:]}
	rest.NullableString()
	if body.IsFlexible() {
		kmsg.SkipTags(&rest)
	}
	if rest.Ok() && body.ReadFrom(rest.Src) == nil {
		r.body = body
	}
	return r
}

// name is the request's kind as points have it.
func (r *request) name() string {
	if end, ok := r.body.(*kmsg.EndTxnRequest); ok {
		if end.Commit {
			return "Commit"
		}
		return "Abort"
	}
	return kmsg.NameForKey(int16(r.key))
}

// fail makes of an answer the same one with an error: in the answer's own code where it has one, else in those of all
// its parts.
func (r *request) fail(answer []byte, with *kerr.Error) ([]byte, error) {
	resp := kmsg.ResponseForKey(int16(r.key))
	resp.SetVersion(r.version)
	head := 4 // correlation id
	if len(answer) < head {
		return nil, errors.New("an answer without header")
	}
	rest := kbin.Reader{Src: answer[head:]}
	if resp.IsFlexible() {
		kmsg.SkipTags(&rest)
	}
	if err := resp.ReadFrom(rest.Src); !rest.Ok() || err != nil {
		return nil, fmt.Errorf("decode answer: %w", err)
	}
	v := reflect.ValueOf(resp).Elem()
	if code := v.FieldByName("ErrorCode"); code.IsValid() {
		code.SetInt(int64(with.Code))
	} else {
		failParts(v, int64(with.Code))
	}
	changed := append([]byte(nil), answer[:head]...)
	if resp.IsFlexible() {
		changed = append(changed, 0) // no tags
	}
	return resp.AppendTo(changed), nil
}

// failParts sets every error code below v.
func failParts(v reflect.Value, code int64) {
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			f := v.Field(i)
			if v.Type().Field(i).Name == "ErrorCode" {
				f.SetInt(code)
				continue
			}
			failParts(f, code)
		}
	case reflect.Slice:
		for i := range v.Len() {
			failParts(v.Index(i), code)
		}
	default:
	}
}
