package topics

import _ "embed" // the schema

//go:embed alert.schema.json
var alertJSONSchema string

// AlertJSONSchema is the JSON Schema (draft 2020-12) of an alert record: of each value of the alerts topic. It lets
// members through that it does not name, for a later program may write more.
func AlertJSONSchema() string { return alertJSONSchema }
