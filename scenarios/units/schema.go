package units

import "github.com/google/jsonschema-go/jsonschema"

// textSchema describes a string of the given form, with examples.
func textSchema(pattern string, examples ...any) *jsonschema.Schema {
	return &jsonschema.Schema{Type: "string", Pattern: pattern, Examples: examples}
}
