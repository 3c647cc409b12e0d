package scenarios_test

import (
	"fmt"
	"slices"
	"strings"

	google "github.com/google/jsonschema-go/jsonschema"

	"github.com/flowtwin/flowtwin/scenarios"
	"github.com/flowtwin/flowtwin/scenarios/profile"
	"github.com/flowtwin/flowtwin/scenarios/workflowfile"
)

// reference is docs/scenario-reference.md: every key of every file, from the
// schemas.
func reference() string {
	r := &referenceWriter{}
	r.line("# Reference: every key")
	r.line("")
	r.line("Made from the Go types by `go test ./scenarios -run Golden -rewrite`: change those, not this page. What is written here for people is in")
	r.line("`scenarios/*.schema.json` for editors: `# yaml-language-server: $schema=PATH/scenario.schema.json` as the first line of a file makes many of them")
	r.line("complete and check it. Keys in **bold** must be there.")
	r.line("")
	r.line("[Scenario files](#scenario-files) · [Workflow files](#workflow-files) · [Distributions](#distributions) · [Profiles](#profiles)")
	r.file("Scenario files", scenarios.Schema())
	r.file("Workflow files", workflowfile.Schema())
	r.heading("##", "Distributions")
	r.line("Times, sizes and list lengths are constants, or a mapping with one of these keys. Examples are of times.\n")
	r.table("", r.distribution)
	r.profiles()
	return r.text.String()
}

type referenceWriter struct {
	text         strings.Builder
	distribution *google.Schema // as workflow files have it
	later        []section
	// emulated is what the emulator makes of each constant, while the profiles
	// are written.
	emulated map[string]string
}

// section is a mapping within another.
type section struct {
	path   string
	schema *google.Schema
}

func (r *referenceWriter) line(format string, args ...any) {
	fmt.Fprintf(&r.text, format+"\n", args...)
}

func (r *referenceWriter) heading(level, title string) {
	r.line("")
	r.line("%s %s", level, title)
	r.line("")
}

// file writes all of a schema: a table for each mapping.
func (r *referenceWriter) file(title string, s *google.Schema) {
	r.heading("##", title)
	r.line("%s\n", s.Description)
	r.table("", s)
	for len(r.later) > 0 {
		next := r.later[0]
		r.later = r.later[1:]
		r.heading("###", "`"+next.path+"`")
		if next.schema.Description != "" {
			r.line("%s\n", next.schema.Description)
		}
		r.table(next.path, next.schema)
	}
}

// profiles writes that of profiles, whose tables have one column more.
func (r *referenceWriter) profiles() {
	r.emulated = map[string]string{}
	without := profile.Emulated(false, nil)
	for i, with := range profile.Emulated(true, nil) {
		text := string(with.Treatment)
		if without[i].Treatment != with.Treatment {
			text += "; else " + string(without[i].Treatment)
		}
		r.emulated[with.Path] = text
	}
	s := *profile.Schema()
	s.Description += "\n\nThe simulator obeys all constants; the last column says what the emulator makes of them. *Paced*: whoever does what the constant is about is\n" +
		"held until the time is over, or to the bandwidth; *else*: without `--pace`. *Measured*: the real thing takes the time that it takes. *Rule*: no\n" +
		"matter of speed, obeyed in both worlds. *Not applied*: nothing corresponds to it. A back end may do otherwise here and there; the manifest of a\n" +
		"run says what held for it."
	r.file("Profiles", &s)
	r.emulated = nil
}

func (r *referenceWriter) table(path string, s *google.Schema) {
	emulated := false // by one of the keys
	for _, key := range s.PropertyOrder {
		emulated = emulated || r.emulated[strings.TrimPrefix(path+"."+key, ".")] != ""
	}
	if emulated {
		r.line("| key | value | meaning | in the emulator |")
		r.line("|---|---|---|---|")
	} else {
		r.line("| key | value | meaning |")
		r.line("|---|---|---|")
	}
	var inner []section
	for _, key := range s.PropertyOrder {
		p := s.Properties[key]
		name := "`" + key + "`"
		if slices.Contains(s.Required, key) {
			name = "**" + name + "**"
		}
		at := strings.TrimPrefix(path+"."+key, ".")
		row := fmt.Sprintf("| %s | %s | %s |", name, r.value(at, p, &inner), p.Description)
		if emulated {
			row = strings.TrimRight(row+" "+r.emulated[at], " ") + " |"
		}
		r.line("%s", row)
	}
	r.later = append(inner, r.later...) // Depth first.
}

// value says what a value looks like. Mappings within it are added to inner.
func (r *referenceWriter) value(path string, s *google.Schema, inner *[]section) string {
	switch {
	case s.Properties["lognormal"] != nil:
		if r.distribution == nil {
			r.distribution = s
		}
		return "[distribution](#distributions)"
	case path == "overrides":
		return "as in a [profile](#profiles)"
	case path == "workflows[].load":
		return "as in [load](#load)"
	case s.Properties["mean"] != nil:
		return "`{mean: …, " + s.PropertyOrder[1] + ": …}`, " + lowered(s.Properties[s.PropertyOrder[1]].Description)
	case s.Properties != nil:
		*inner = append(*inner, section{path, s})
		return "mapping: [" + path + "](#" + anchor(path) + ")"
	case s.OneOf != nil || s.AnyOf != nil:
		var forms []string
		for _, form := range append(slices.Clone(s.OneOf), s.AnyOf...) {
			if text := r.value(path, form, inner); text != "" && !slices.Contains(forms, text) {
				forms = append(forms, text)
			}
		}
		return strings.Join(forms, ", or ")
	case s.Const != nil:
		return ""
	case s.Enum != nil:
		return quoted(s.Enum)
	case s.Examples != nil:
		return quoted(s.Examples)
	case s.Items != nil:
		return "list of " + r.value(path+"[]", s.Items, inner)
	case s.AdditionalProperties != nil:
		return "by name: " + r.value(path+".*", s.AdditionalProperties, inner)
	case s.Types != nil:
		return "text"
	default:
		return map[string]string{
			"": "any", "string": "text", "boolean": "`true`, `false`", "integer": "whole number", "number": "number", "array": "list", "object": "mapping",
		}[s.Type]
	}
}

// lowered is a description inside of a sentence.
func lowered(text string) string {
	return strings.ToLower(text[:1]) + strings.TrimSuffix(text[1:], ".")
}

func quoted(values []any) string {
	var words []string
	for _, v := range values {
		words = append(words, fmt.Sprintf("`%v`", v))
	}
	return strings.Join(words, ", ")
}

// anchor is what renderers of Markdown make of a heading.
func anchor(heading string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '_' || r == '-' {
			return r
		}
		return -1
	}, heading)
}
