package ingest

import (
	"bytes"
	"encoding/json"
)

// MapCloudTrail turns a CloudTrail record into an audit event (JSON), mapping version 1:
//
//	eventId                 eventID
//	timestamp               eventTime, as it is
//	principalId             first of userIdentity.userName, .sessionContext.sessionIssuer.userName, .arn, .invokedBy,
//	                        .principalId; else "unknown"
//	organizationId          first of recipientAccountId, userIdentity.accountId
//	status                  failure with a non-empty errorCode, or for a ConsoleLogin whose
//	                        responseElements.ConsoleLogin is Failure; else success
//	action                  auth.login.failure or auth.login.success for ConsoleLogin; else SERVICE.eventName, SERVICE
//	                        being eventSource up to its first dot
//	targetResourceType      first of resources[0].type; else SERVICE
//	targetResourceId        first of resources[0].ARN, requestParameters.bucketName, .instanceId, .secretId, .name,
//	                        .roleName, .userName; else eventSource
//	outcomeDescription      errorCode: errorMessage; either alone; else OK
//	sessionContext          sessionId (userIdentity.accessKeyId, else eventID), ipAddress, userAgent
//	errorCode, identityType, readOnly
//
// "First of" means the first that is a non-empty JSON string. No value is trimmed, re-cased or normalised: texts are
// copied with the escapes they have. A field without a source is left out, so a record without eventTime becomes an
// event without timestamp, for the processor to refuse. What is no JSON object is returned as it is.
func MapCloudTrail(raw []byte) []byte {
	rec := object(raw)
	if rec == nil {
		return raw
	}
	identity := object(rec["userIdentity"])
	issuer := object(object(identity["sessionContext"])["sessionIssuer"])
	request := object(rec["requestParameters"])
	resource := object(firstElement(rec["resources"]))
	service := upToDot(rec["eventSource"])
	errorCode, errorMessage := first(rec["errorCode"]), first(rec["errorMessage"])
	login := isText(rec["eventName"], "ConsoleLogin")
	failed := errorCode != nil ||
		login && isText(object(rec["responseElements"])["ConsoleLogin"], "Failure")

	status := quote("success")
	if failed {
		status = quote("failure")
	}
	var action []byte
	switch name := first(rec["eventName"]); {
	case login && failed:
		action = quote("auth.login.failure")
	case login:
		action = quote("auth.login.success")
	default:
		action = join(service, ".", name)
	}
	outcome := quote("OK")
	switch {
	case errorCode != nil && errorMessage != nil:
		outcome = join(errorCode, ": ", errorMessage)
	case errorCode != nil:
		outcome = errorCode
	case errorMessage != nil:
		outcome = errorMessage
	}
	w := writer{buf: make([]byte, 0, 1024)}
	w.open()
	w.field("eventId", rec["eventID"])
	w.field("timestamp", rec["eventTime"])
	w.field("principalId", orElse(first(identity["userName"], issuer["userName"], identity["arn"],
		identity["invokedBy"], identity["principalId"]), quote("unknown")))
	w.field("organizationId", first(rec["recipientAccountId"], identity["accountId"]))
	w.field("action", action)
	w.field("status", status)
	w.field("targetResourceType", orElse(first(resource["type"]), service))
	w.field("targetResourceId", orElse(first(resource["ARN"], request["bucketName"], request["instanceId"],
		request["secretId"], request["name"], request["roleName"], request["userName"]), first(rec["eventSource"])))
	w.field("outcomeDescription", outcome)
	w.key("sessionContext")
	w.open()
	w.field("sessionId", orElse(first(identity["accessKeyId"]), first(rec["eventID"])))
	w.field("ipAddress", rec["sourceIPAddress"])
	w.field("userAgent", rec["userAgent"])
	w.close()
	w.field("errorCode", orElse(errorCode, []byte("null")))
	w.field("identityType", orElse(identity["type"], []byte("null")))
	w.field("readOnly", rec["readOnly"])
	w.close()
	return w.buf
}

// object reads the members of a JSON object without interpreting their values; nil for anything else.
func object(raw json.RawMessage) map[string]json.RawMessage {
	var m map[string]json.RawMessage
	if json.Unmarshal(raw, &m) != nil {
		return nil
	}
	return m
}

// firstElement is the first element of a JSON array, nil for anything else.
func firstElement(raw json.RawMessage) json.RawMessage {
	var a []json.RawMessage
	if json.Unmarshal(raw, &a) != nil || len(a) == 0 {
		return nil
	}
	return a[0]
}

// first is the first of the values that is a non-empty JSON string, as it stands.
func first(values ...json.RawMessage) json.RawMessage {
	for _, v := range values {
		if len(v) > 2 && v[0] == '"' {
			return v
		}
	}
	return nil
}

func orElse(v, other json.RawMessage) json.RawMessage {
	if v == nil {
		return other
	}
	return v
}

func isText(raw json.RawMessage, want string) bool {
	var s string
	return len(raw) > 0 && raw[0] == '"' && json.Unmarshal(raw, &s) == nil && s == want
}

// upToDot cuts a JSON string at its first dot; nil when there is none to cut from.
func upToDot(raw json.RawMessage) json.RawMessage {
	v := first(raw)
	if v == nil {
		return nil
	}
	at := len(v) - 1
	for _, dot := range []string{".", `\u002e`, `\u002E`} { // the escape of a dot is a dot
		if i := bytes.Index(v, []byte(dot)); i >= 0 {
			at = min(at, i)
		}
	}
	return append(append(make([]byte, 0, at+1), v[:at]...), '"')
}

// join makes one JSON string of two and a plain text between; nil where both are missing.
func join(a json.RawMessage, between string, b json.RawMessage) json.RawMessage {
	if a == nil && b == nil {
		return nil
	}
	out := append(make([]byte, 0, len(a)+len(between)+len(b)), '"')
	out = append(out, inner(a)...)
	out = append(out, between...)
	out = append(out, inner(b)...)
	return append(out, '"')
}

func inner(v json.RawMessage) []byte {
	if len(v) < 2 {
		return nil
	}
	return v[1 : len(v)-1]
}

func quote(plain string) json.RawMessage { return json.RawMessage(`"` + plain + `"`) }

// writer puts a JSON object together.
type writer struct {
	buf   []byte
	comma bool
}

func (w *writer) open()  { w.buf, w.comma = append(w.buf, '{'), false }
func (w *writer) close() { w.buf, w.comma = append(w.buf, '}'), true }

func (w *writer) key(name string) {
	if w.comma {
		w.buf = append(w.buf, ',')
	}
	w.buf = append(append(append(w.buf, '"'), name...), `":`...)
	w.comma = true
}

// field leaves out what is missing.
func (w *writer) field(name string, value json.RawMessage) {
	if value == nil {
		return
	}
	w.key(name)
	w.buf = append(w.buf, value...)
}
