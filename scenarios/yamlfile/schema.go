package yamlfile

import (
	"encoding"
	"fmt"
	"reflect"

	"github.com/google/jsonschema-go/jsonschema"
)

// Draft is the JSON Schema draft that Schema follows, for Schema.Schema.
const Draft = "https://json-schema.org/draft/2020-12/schema"

// Schemer is implemented by types that describe themselves, as those with
// several forms or with a textual form must for a useful schema.
type Schemer interface {
	JSONSchema() *jsonschema.Schema
}

// Schema describes the files that decode into v, a struct or a pointer to
// one, for editors that complete and check YAML. It must not be recursive.
func Schema(v any) *jsonschema.Schema {
	t := reflect.TypeOf(v)
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return schemaOf(t)
}

var schemer = reflect.TypeFor[Schemer]()

func schemaOf(t reflect.Type) *jsonschema.Schema {
	switch {
	case t.Implements(schemer) && t.Kind() != reflect.Pointer:
		return reflect.Zero(t).Interface().(Schemer).JSONSchema()
	case reflect.PointerTo(t).Implements(schemer):
		return reflect.New(t).Interface().(Schemer).JSONSchema()
	case reflect.PointerTo(t).Implements(reflect.TypeFor[encoding.TextUnmarshaler]()):
		return &jsonschema.Schema{Type: "string"}
	case t == valueType:
		return &jsonschema.Schema{}
	}
	switch t.Kind() {
	case reflect.Pointer:
		return schemaOf(t.Elem())
	case reflect.String:
		// A name may look like a number: 2024, 1.5, true.
		return &jsonschema.Schema{Types: []string{"string", "number", "boolean"}}
	case reflect.Bool:
		return &jsonschema.Schema{Type: "boolean"}
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return &jsonschema.Schema{Type: "integer"}
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return &jsonschema.Schema{Type: "integer", Minimum: new(float64)}
	case reflect.Float32, reflect.Float64:
		return &jsonschema.Schema{Type: "number"}
	case reflect.Map:
		return &jsonschema.Schema{Type: "object", AdditionalProperties: schemaOf(t.Elem())}
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Struct && readTags(t.Elem()).key >= 0 {
			return &jsonschema.Schema{Type: "object", AdditionalProperties: orNull(schemaOf(t.Elem()))}
		}
		return &jsonschema.Schema{Type: "array", Items: schemaOf(t.Elem())}
	case reflect.Struct:
		return structSchema(readTags(t))
	}
	panic(fmt.Sprintf("yamlfile: %v has no schema", t))
}

// orNull lets an entry of an ordered mapping be empty if nothing in it is
// required.
func orNull(s *jsonschema.Schema) *jsonschema.Schema {
	if s.Type == "object" && len(s.Required) == 0 {
		s.Type, s.Types = "", []string{"object", "null"}
	}
	return s
}

func structSchema(info *structInfo) *jsonschema.Schema {
	s := &jsonschema.Schema{
		Type:                 "object",
		Properties:           map[string]*jsonschema.Schema{},
		AdditionalProperties: &jsonschema.Schema{Not: &jsonschema.Schema{}},
		PropertyOrder:        info.names(),
	}
	for _, f := range info.fields {
		property := *schemaOf(f.typ)
		if f.doc != "" {
			property.Description = f.doc
		}
		s.Properties[f.name] = &property
		if f.required {
			s.Required = append(s.Required, f.name)
		}
	}
	return s
}
