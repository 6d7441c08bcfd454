package topics

// field is a JSON member that the decoder interprets. These are the critical fields: one that occurs twice in its
// object makes the event ambiguous. The first eight are the canonical ones, in the order of the canonical string.
type field uint8

const (
	fieldAction field = iota
	fieldOrganizationID
	fieldOutcomeDescription
	fieldPrincipalID
	fieldStatus
	fieldTargetResourceID
	fieldTargetResourceType
	fieldTimestamp

	fieldHash
	fieldHashAlgorithm
	fieldSignature
	fieldAlgorithm
	fieldKeyID
	fieldErrorCode
	fieldReasonCode
	fieldDataClassification
	fieldCorrelationID
	fieldRecordCount
	fieldSource
	fieldID
	fieldEventID

	fieldSessionContext
	fieldSessionID
	fieldIPAddress
	fieldUserAgent

	fieldCESpecVersion
	fieldCEID
	fieldCESource
	fieldCEData
	fieldCEDataBase64

	fieldNone // a member that is not interpreted
)

// fieldNames are the names for messages.
var fieldNames = [fieldNone]string{
	"action", "organizationId", "outcomeDescription", "principalId", "status", "targetResourceId",
	"targetResourceType", "timestamp", "hash", "hashAlgorithm", "signature", "algorithm", "keyId", "errorCode",
	"reasonCode", "dataClassification", "correlationId", "recordCount", "source", "id", "eventId", "sessionContext",
	"sessionContext.sessionId", "sessionContext.ipAddress", "sessionContext.userAgent", "CloudEvents specversion",
	"CloudEvents id", "CloudEvents source", "CloudEvents data", "CloudEvents data_base64",
}

// optionalCanonical tells the five canonical fields that a falsy value makes absent.
func (f field) optionalCanonical() bool {
	return f < NumCanonical && f != fieldAction && f != fieldStatus && f != fieldTimestamp
}

// scope says which object's members are looked up.
type scope uint8

const (
	scopeEvent scope = iota
	scopeSession
	scopeEnvelope // of a structured CloudEvent
)

// maxName is the length of the longest interpreted name.
const maxName = len("targetResourceType")

func lookup(in scope, name []byte) field {
	if len(name) > maxName {
		return fieldNone
	}
	switch in {
	case scopeSession:
		return lookupSession(name)
	case scopeEnvelope:
		return lookupEnvelope(name)
	}
	return lookupEvent(name)
}

func lookupEvent(name []byte) field {
	switch string(name) {
	case "id":
		return fieldID
	case "hash":
		return fieldHash
	case "keyId":
		return fieldKeyID
	case "action":
		return fieldAction
	case "status":
		return fieldStatus
	case "source":
		return fieldSource
	case "eventId":
		return fieldEventID
	case "algorithm":
		return fieldAlgorithm
	case "errorCode":
		return fieldErrorCode
	case "signature":
		return fieldSignature
	case "timestamp":
		return fieldTimestamp
	case "reasonCode":
		return fieldReasonCode
	case "principalId":
		return fieldPrincipalID
	case "recordCount":
		return fieldRecordCount
	case "correlationId":
		return fieldCorrelationID
	case "hashAlgorithm":
		return fieldHashAlgorithm
	case "organizationId":
		return fieldOrganizationID
	case "sessionContext":
		return fieldSessionContext
	case "targetResourceId":
		return fieldTargetResourceID
	case "outcomeDescription":
		return fieldOutcomeDescription
	case "targetResourceType":
		return fieldTargetResourceType
	case "dataClassification":
		return fieldDataClassification
	}
	return fieldNone
}

func lookupSession(name []byte) field {
	switch string(name) {
	case "sessionId":
		return fieldSessionID
	case "ipAddress":
		return fieldIPAddress
	case "userAgent":
		return fieldUserAgent
	}
	return fieldNone
}

func lookupEnvelope(name []byte) field {
	switch string(name) {
	case "specversion":
		return fieldCESpecVersion
	case "id":
		return fieldCEID
	case "source":
		return fieldCESource
	case "data":
		return fieldCEData
	case "data_base64":
		return fieldCEDataBase64
	}
	return fieldNone
}
