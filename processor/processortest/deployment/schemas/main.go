// Command schemas makes the Kubernetes schemas in testdata: of the definitions of one Kubernetes version it keeps the
// kinds that deploy/k8s uses and what these refer to, and leaves out all descriptions, which are nine tenths of them.
//
//	go run ./processor/processortest/deployment/schemas FOLDER >processor/processortest/deployment/testdata/…
//
// FOLDER is kubernetes-json-schema/v…-local-strict of the Python package kubernetes-validate (Apache-2.0): schemas that
// accept no field that the API does not have.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// kinds are the definitions kept, by what a manifest says of itself.
var kinds = map[string]string{
	"v1/ConfigMap":                       "io.k8s.api.core.v1.ConfigMap",
	"v1/Namespace":                       "io.k8s.api.core.v1.Namespace",
	"v1/Secret":                          "io.k8s.api.core.v1.Secret",
	"v1/Service":                         "io.k8s.api.core.v1.Service",
	"v1/ServiceAccount":                  "io.k8s.api.core.v1.ServiceAccount",
	"apps/v1/StatefulSet":                "io.k8s.api.apps.v1.StatefulSet",
	"batch/v1/Job":                       "io.k8s.api.batch.v1.Job",
	"networking.k8s.io/v1/NetworkPolicy": "io.k8s.api.networking.v1.NetworkPolicy",
	"policy/v1/PodDisruptionBudget":      "io.k8s.api.policy.v1.PodDisruptionBudget",
}

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "schemas:", err)
		os.Exit(1) //nolint:forbidigo // this is main
	}
}

func run(args []string) error {
	if len(args) != 1 {
		return errors.New("name the folder of the schemas")
	}
	text, err := os.ReadFile(filepath.Join(args[0], "_definitions.json"))
	if err != nil {
		return err
	}
	var all struct {
		Defs map[string]any `json:"$defs"`
	}
	if err := json.Unmarshal(text, &all); err != nil {
		return fmt.Errorf("definitions: %w", err)
	}
	kept, byKind := map[string]any{}, map[string]any{}
	for kind, name := range kinds {
		if err := keep(kept, all.Defs, name); err != nil {
			return err
		}
		byKind[kind] = map[string]any{"$ref": "#/$defs/" + name}
	}
	out, err := json.Marshal(map[string]any{
		"$schema": "https://json-schema.org/draft/2020-12/schema", "$defs": kept, "kinds": byKind,
	})
	if err != nil {
		return err
	}
	_, err = os.Stdout.Write(append(out, '\n'))
	return err
}

// keep takes a definition over, and those it refers to.
func keep(kept, all map[string]any, name string) error {
	if _, done := kept[name]; done {
		return nil
	}
	def, ok := all[name]
	if !ok {
		return fmt.Errorf("there is no definition %s", name)
	}
	kept[name] = def
	return tidy(def, false, func(ref string) (string, error) {
		_, target, ok := strings.Cut(ref, "#/$defs/")
		if !ok {
			return "", fmt.Errorf("%s refers to %q, which is no definition", name, ref)
		}
		return "#/$defs/" + target, keep(kept, all, target)
	})
}

// tidy removes descriptions and follows references, anywhere below a schema. Below "properties" the keys are names of
// fields, and one of them may be called description.
func tidy(v any, fields bool, follow func(string) (string, error)) error {
	switch v := v.(type) {
	case []any:
		for _, e := range v {
			if err := tidy(e, false, follow); err != nil {
				return err
			}
		}
	case map[string]any:
		if ref, ok := v["$ref"].(string); ok && !fields {
			target, err := follow(ref)
			if err != nil {
				return err
			}
			v["$ref"] = target
		}
		if !fields {
			delete(v, "description")
		}
		for key, e := range v {
			if err := tidy(e, key == "properties" && !fields, follow); err != nil {
				return err
			}
		}
	}
	return nil
}
