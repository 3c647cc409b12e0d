package scenarios

import (
	"strings"

	"github.com/google/jsonschema-go/jsonschema"

	"github.com/flowtwin/flowtwin/scenarios/yamlfile"
)

// Some values take a short form: a workflow, a scheduler or a figure may be
// just a name, workers just a number, an axis a list or a mapping.

// UnmarshalYAML reads a name, or a mapping.
func (u *WorkflowUse) UnmarshalYAML(v yamlfile.Value) {
	type plain WorkflowUse
	if v.Kind() == yamlfile.Scalar {
		u.Use = v.Text()
		return
	}
	v.Decode((*plain)(u))
	switch {
	case (u.Use == "") == (u.Generate == ""):
		v.Errorf("name a workflow with use, or generate one")
	case (u.Generate == "") != (u.Functions == 0):
		v.Errorf("generate and functions belong together: {generate: genome, functions: 1000}")
	}
}

// JSONSchema describes both forms.
func (WorkflowUse) JSONSchema() *jsonschema.Schema {
	type plain WorkflowUse
	long := yamlfile.Schema(plain{})
	load := yamlfile.Schema(LoadUse{})
	load.Description = long.Properties["load"].Description
	long.Properties["load"] = load
	return oneOf(text("A built-in workflow, such as faasflow/genome, or a file (ending in .yaml)."), long)
}

// UnmarshalYAML reads a number, or a list of groups.
func (u *WorkersUse) UnmarshalYAML(v yamlfile.Value) {
	u.Set = true
	if v.Kind() == yamlfile.Scalar {
		v.Decode(&u.Count)
		return
	}
	v.Decode(&u.Groups)
	if v.Kind() == yamlfile.List && len(u.Groups) == 0 {
		v.Errorf("a cluster needs at least one worker")
	}
}

// JSONSchema describes both forms.
func (WorkersUse) JSONSchema() *jsonschema.Schema {
	return oneOf(yamlfile.Schema(0), yamlfile.Schema([]WorkerGroup{}))
}

// UnmarshalYAML reads a preset's name, control+placement+data, or a mapping.
func (u *SchedulerUse) UnmarshalYAML(v yamlfile.Value) {
	type plain SchedulerUse
	if v.Kind() == yamlfile.Scalar {
		if choices := strings.Split(v.Text(), "+"); len(choices) == 3 {
			u.Control, u.Placement, u.Data = choices[0], choices[1], choices[2]
		} else {
			u.Preset = v.Text()
		}
	} else {
		v.Decode((*plain)(u))
	}
}

// JSONSchema describes both forms.
func (SchedulerUse) JSONSchema() *jsonschema.Schema {
	type plain SchedulerUse
	return oneOf(text("A preset, or control+placement+data."), yamlfile.Schema(plain{}))
}

// UnmarshalYAML reads a list of values for the path that the axis is named
// by, or a mapping from labels to what each sets.
func (a *AxisUse) UnmarshalYAML(v yamlfile.Value) {
	a.value = v
	switch v.Kind() {
	case yamlfile.List:
		for _, item := range v.Items() {
			a.Values = append(a.Values, AxisValue{Label: label(item), Sets: []AxisSet{{a.Name, item}}})
		}
	case yamlfile.Mapping:
		for _, entry := range v.Entries() {
			value := AxisValue{Label: entry.Key}
			if entry.Value.Kind() != yamlfile.Mapping {
				entry.Value.Errorf("a mapping is expected: the paths that %s sets, and their values", entry.Key)
				continue
			}
			for _, set := range entry.Value.Entries() {
				value.Sets = append(value.Sets, AxisSet{set.Key, set.Value})
			}
			a.Values = append(a.Values, value)
		}
	default:
		v.Errorf("a list of values is expected, or a mapping from labels to what they set")
		return
	}
	if v.Len() == 0 {
		v.Errorf("the axis has no values")
	}
	seen := map[string]bool{}
	for _, value := range a.Values {
		if seen[value.Label] {
			v.Errorf("there are two values called %q: results could not be told apart", value.Label)
		}
		seen[value.Label] = true
	}
}

// JSONSchema describes both forms.
func (AxisUse) JSONSchema() *jsonschema.Schema {
	return oneOf(
		&jsonschema.Schema{Type: "array", Description: "Values of the path that the axis is named by."},
		&jsonschema.Schema{Type: "object", Description: "For each label the paths that it sets, and their values."},
	)
}

// label shows an axis value in results.
func label(v yamlfile.Value) string {
	switch v.Kind() {
	case yamlfile.Scalar:
		return v.Text()
	case yamlfile.List:
		labels := make([]string, len(v.Items()))
		for i, item := range v.Items() {
			labels[i] = label(item)
		}
		return strings.Join(labels, " ")
	case yamlfile.Mapping:
		var labels []string
		for _, e := range v.Entries() {
			labels = append(labels, label(e.Value))
		}
		return strings.Join(labels, " ")
	default:
		return ""
	}
}

// UnmarshalYAML reads a kind, or a mapping.
func (u *FigureUse) UnmarshalYAML(v yamlfile.Value) {
	type plain FigureUse
	if v.Kind() == yamlfile.Scalar {
		u.Kind = v.Text()
	} else {
		v.Decode((*plain)(u))
	}
}

// JSONSchema describes both forms.
func (FigureUse) JSONSchema() *jsonschema.Schema {
	type plain FigureUse
	var kinds []any
	for _, k := range FigureKinds() {
		kinds = append(kinds, k.Name)
	}
	kind := &jsonschema.Schema{Description: "What kind of figure.", Enum: kinds}
	long := yamlfile.Schema(plain{})
	long.Properties["kind"] = kind
	return oneOf(kind, long)
}

func oneOf(forms ...*jsonschema.Schema) *jsonschema.Schema { return &jsonschema.Schema{OneOf: forms} }

func text(description string) *jsonschema.Schema {
	return &jsonschema.Schema{Type: "string", Description: description}
}
