package scenarios

import (
	"github.com/google/jsonschema-go/jsonschema"

	"github.com/flowtwin/flowtwin/scenarios/profile"
	"github.com/flowtwin/flowtwin/scenarios/yamlfile"
)

// Schema returns the JSON Schema (draft 2020-12) of scenario files.
func Schema() *jsonschema.Schema {
	s := yamlfile.Schema(Scenario{})
	s.Schema = yamlfile.Draft
	s.Title = "flowtwin scenario"
	s.Description = "What runs where, under which load and schedulers, and what is varied."
	overrides := yamlfile.Schema(profile.Profile{})
	overrides.Description = s.Properties["overrides"].Description
	s.Properties["overrides"] = overrides
	return s
}
