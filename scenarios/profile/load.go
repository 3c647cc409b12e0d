package profile

import (
	"embed"
	"fmt"
	"path"
	"reflect"
	"strings"

	"github.com/google/jsonschema-go/jsonschema"

	"github.com/flowtwin/flowtwin/scenarios/units"
	"github.com/flowtwin/flowtwin/scenarios/yamlfile"
)

//go:embed profiles/*.yaml
var shipped embed.FS

// Names lists the profiles that ship with flowtwin.
func Names() []string {
	entries, err := shipped.ReadDir("profiles")
	if err != nil {
		return nil
	}
	var names []string
	for _, e := range entries {
		names = append(names, strings.TrimSuffix(e.Name(), ".yaml"))
	}
	return names
}

// Load reads a profile that ships with flowtwin. overrides, if it is not the
// zero Value, is a mapping of the same form that replaces some constants.
func Load(name string, overrides yamlfile.Value) (*Profile, error) {
	data, err := shipped.ReadFile(path.Join("profiles", name+".yaml"))
	if err != nil {
		hint := ""
		if near := yamlfile.Nearest(name, Names()); near != "" {
			hint = fmt.Sprintf(": did you mean %s?", near)
		}
		return nil, fmt.Errorf("there is no profile %q%s (there are %s, and files ending in .yaml)", name, hint, strings.Join(Names(), ", "))
	}
	return Parse(name+".yaml", data, overrides)
}

// Parse is Load for a file in memory; name is its name in errors. Errors are
// of type yamlfile.Errors; those of an override name the place where it
// stands.
func Parse(name string, data []byte, overrides yamlfile.Value) (*Profile, error) {
	doc, err := yamlfile.Parse(name, data)
	if err != nil {
		return nil, err
	}
	override(doc, "", reflect.TypeFor[Profile](), overrides)
	p := &Profile{}
	doc.Decode(p)
	doc.Decoded()
	p.check(doc)
	if err := doc.Err(); err != nil {
		return nil, err
	}
	return p, nil
}

// override replaces what a mapping names. It goes down into groups of
// constants, but takes what stands for one constant as a whole, such as the
// distribution of a time.
func override(doc *yamlfile.Document, path string, group reflect.Type, v yamlfile.Value) {
	if v.Kind() == yamlfile.Null {
		return
	}
	if v.Kind() != yamlfile.Mapping {
		v.Errorf("a mapping is expected: constants of the profile and their values")
		return
	}
	for _, e := range v.Entries() {
		at := yamlfile.Join(path, e.Key)
		if inner := fieldOf(group, e.Key); isGroup(inner) {
			override(doc, at, inner, e.Value)
		} else if err := doc.SetValue(at, e.Value); err != nil {
			e.Value.Errorf("%v", err)
		}
	}
}

// fieldOf returns the type of the field with a key, nil if there is none.
func fieldOf(group reflect.Type, key string) reflect.Type {
	for i := range group.NumField() {
		if group.Field(i).Tag.Get("yaml") == key {
			return group.Field(i).Type
		}
	}
	return nil
}

// isGroup reports whether a type is a group of constants.
func isGroup(t reflect.Type) bool {
	return t != nil && t.Kind() == reflect.Struct && t.PkgPath() == reflect.TypeFor[Profile]().PkgPath()
}

// Schema returns the JSON Schema (draft 2020-12) of profiles.
func Schema() *jsonschema.Schema {
	s := yamlfile.Schema(Profile{})
	s.Schema = yamlfile.Draft
	s.Title = "flowtwin profile"
	s.Description = "What things cost on a platform, and which quirks of the papers' artefacts it has."
	return s
}

// maxTime bounds all times, so that sums of them stay within an int64.
const maxTime = 1000 * units.Hour

// check finds constants that make no sense.
func (p *Profile) check(doc *yamlfile.Document) {
	checkTimes(doc, "", reflect.ValueOf(*p))
	for _, c := range []struct {
		path string
		n    int
	}{
		{"store.lookups", p.Store.Lookups}, {"store.servers", p.Store.Servers},
		{"invocation.task_retries", p.Invocation.TaskRetries}, {"invocation.attempts", p.Invocation.Attempts},
	} {
		if c.n < 0 || c.n > 1_000_000 {
			doc.Errorf(c.path, "%d: it must be between 0 and 1000000", c.n)
		}
	}
	for _, c := range []struct {
		path string
		v    float64
	}{
		{"container.slowdown", p.Container.Slowdown}, {"price.gb_second", p.Price.GBSecond}, {"price.task", p.Price.Task},
	} {
		if c.v < 0 {
			doc.Errorf(c.path, "%v: it must be at least 0", c.v)
		}
	}
	if err := p.Container.ColdStart.Check(); err != nil {
		doc.Errorf("container.cold_start", "%v", err)
	}
	if p.Pressure.Enabled && p.Pressure.Rate == 0 {
		doc.Errorf("pressure.enabled", "the rule means nothing unless pressure.rate says what a container can send")
	}
	if p.Store.Servers > 0 && p.Store.Busy == 0 {
		doc.Errorf("store.servers", "a limit on servers means nothing unless store.busy says how long an operation keeps one")
	}
	for _, s := range p.Sources {
		given := 0
		for _, text := range []string{s.Read, s.Measured, s.Fitted, s.Estimate} {
			if text != "" {
				given++
			}
		}
		if given != 1 {
			doc.Errorf(yamlfile.Join("sources", s.Path), "say where the constant comes from: one of read, measured, fitted, estimate")
		}
	}
}

// checkTimes finds times that are too long, in all that has a key.
func checkTimes(doc *yamlfile.Document, path string, v reflect.Value) {
	for i := range v.NumField() {
		key, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("yaml"), ",")
		switch f := v.Field(i); {
		case f.Type() == reflect.TypeFor[units.Duration]():
			if d := units.Duration(f.Int()); d > maxTime {
				doc.Errorf(yamlfile.Join(path, key), "%s: it must be at most %s", d, maxTime)
			}
		case isGroup(f.Type()):
			checkTimes(doc, yamlfile.Join(path, key), f)
		}
	}
}

// Source returns where the constant at a path comes from: the entry for the
// path itself, or for the nearest part of the profile around it.
func (p *Profile) Source(path string) (Source, bool) {
	for at := path; at != ""; {
		for _, s := range p.Sources {
			if s.Path == at {
				return s, true
			}
		}
		cut := strings.LastIndexByte(at, '.')
		at = at[:max(cut, 0)]
	}
	return Source{}, false
}
