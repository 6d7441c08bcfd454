package app

import (
	"bytes"
	_ "embed" // the schema
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"tocsin/processor"
	"tocsin/processor/app/settings"
	"tocsin/processor/detect"
	"tocsin/processor/telemetry"
	"tocsin/topics"
)

//go:generate go run ./schemagen ../../deploy/config.example.yaml config.schema.json

//go:embed config.schema.json
var configSchema string

// ConfigSchema is the JSON Schema of a configuration file. Its descriptions are those of deploy/config.example.yaml.
func ConfigSchema() string { return configSchema }

// MakeConfigSchema makes the schema from the text of deploy/config.example.yaml and the program's defaults.
func MakeConfigSchema(example string) ([]byte, error) {
	comments, choices := explanations(example), choices()
	c := Default()
	schema := settings.Schema(&c, func(path string) settings.Hint {
		h := settings.Hint{Description: comments[path], OneOf: choices[path]}
		for from := alias(path); h.Description == "" && from != ""; from = alias(from) {
			h.Description = comments[from]
		}
		for from := alias(path); h.OneOf == nil && from != ""; from = alias(from) {
			h.OneOf = choices[from]
		}
		if path == "rules" || strings.HasPrefix(path, "organizations.") && strings.HasSuffix(path, ".rules") {
			h.Names = RuleIDs()
		}
		return h
	})
	schema["$id"] = "urn:tocsin:config"
	schema["title"] = "Tocsin configuration"
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(schema); err != nil {
		return nil, fmt.Errorf("encode the schema: %w", err)
	}
	return b.Bytes(), nil
}

// explanations are the comments of the example by setting, those of its examples included.
func explanations(example string) map[string]string {
	out := settings.Comments(regexp.MustCompile(`(?m)^( *)#: `).ReplaceAllString(example, "$1"))
	for path, text := range out {
		if rest, ok := strings.CutPrefix(path, "organizations."); ok {
			if _, setting, ok := strings.Cut(rest, "."); ok {
				out["organizations."+settings.AnyName+"."+setting] = text
			}
		}
	}
	maps.Copy(out, settings.Comments(example))
	return out
}

// explainedRule is the rule whose settings the example explains for all.
const explainedRule = "failed-auth-burst"

// alias is the setting that means the same as path and is explained in its place; empty for none.
func alias(path string) string {
	if rest, ok := strings.CutPrefix(path, "organizations."+settings.AnyName+"."); ok {
		section, _, _ := strings.Cut(rest, ".")
		switch section {
		case "hours":
			return "detection." + rest
		case "require", "sources":
			return "verify." + rest
		}
		return rest
	}
	if rest, ok := strings.CutPrefix(path, "rules."); ok {
		if id, name, ok := strings.Cut(rest, "."); ok && id != explainedRule {
			return "rules." + explainedRule + "." + name
		}
	}
	return ""
}

// choices are the settings that take one of a few words; of a map its values do, of a list its items.
func choices() map[string][]string {
	rule := "rules." + explainedRule
	return map[string][]string{
		"kafka.sasl.mechanism": {mechanismNone, "plain", "scram-sha-256", "scram-sha-512", mechanismBearer},
		"kafka.compression":    processor.Compressions(),
		"otel.protocol":        {telemetry.ProtocolHTTP, telemetry.ProtocolGRPC},
		"input.keying":         {"trusted"},
		"input.start":          {"earliest", "latest"},
		"processor.standby":    {"none", "all"},
		"verify.require":       {"none", "hash", "signature"},
		"verify.sources":       {"none", "hash", "signature"},
		"verify.unverifiable":  {"quarantine", "count"},
		"detection.copies":     RuleIDs(),
		"detection.hours.days": {"mon", "tue", "wed", "thu", "fri", "sat", "sun"},
		rule + ".severity":     Severities(),
		rule + ".type":         {"SECURITY", "COMPLIANCE", "PERFORMANCE", "SYSTEM", "CUSTOM"},
		"log.level":            {"debug", "info", "warn", "error"},
		"log.format":           {"auto", "text", "json"},
	}
}

// Severities are the severities there are, the lowest first.
func Severities() []string { return []string{"LOW", "MEDIUM", "HIGH", "CRITICAL"} }

// RuleIDs are the ids of the rules there are, in order.
func RuleIDs() []string {
	var ids []string
	for id := range defaultRules(detect.Default()) {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}

// Reasons are the reasons for which records are set aside.
func Reasons() []string {
	var names []string
	for r := topics.ReasonNone + 1; r < topics.NumReasons; r++ {
		names = append(names, r.String())
	}
	return names
}

// SettingKeys are the settings that there are by default, but for secrets, which no flag takes.
func SettingKeys() []string {
	c := Default()
	s, err := settings.Load(&c, settings.Input{})
	if err != nil {
		return nil // nothing was read that could be wrong
	}
	var keys []string
	for _, k := range s.List() {
		if !k.Secret {
			keys = append(keys, k.Path)
		}
	}
	return keys
}
