// Package settings fills a struct of settings from layers: the defaults it holds already, a YAML file, environment
// variables, command-line flags; later wins. It remembers where each value came from, and reports every fault at once,
// each with its place (file and line, variable or flag), the key, the value and what would be right.
//
// The struct is made of sections (structs and maps of structs, named by yaml tags) and leaves: string, bool, integers,
// float64, []string, map[string]string, [Duration], [Size], [Secret], [URL], and pointers to them (nil: not set).
// Unknown keys are errors. Values of type Secret and passwords in a URL never appear in an error or a listing.
package settings
