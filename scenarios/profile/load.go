package profile

import (
	"embed"
	"fmt"
	"path"
	"strings"

	"github.com/flowtwin/flowtwin/scenarios/yamlfile"
)

//go:embed profiles/*.yaml
var shipped embed.FS

// Override replaces the constant at a path.
type Override struct {
	Path  string
	Value yamlfile.Value
}

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

// Load reads a profile that ships with flowtwin, or a file if the name ends
// in .yaml, and replaces some of its constants.
func Load(name string, overrides []Override) (*Profile, error) {
	doc, err := open(name)
	if err != nil {
		return nil, err
	}
	for _, o := range overrides {
		if err := doc.SetValue(o.Path, o.Value); err != nil {
			return nil, err
		}
	}
	p := &Profile{}
	doc.Decode(p)
	p.check(doc)
	if err := doc.Err(); err != nil {
		return nil, err
	}
	return p, nil
}

func open(name string) (*yamlfile.Document, error) {
	if strings.HasSuffix(name, ".yaml") || strings.HasSuffix(name, ".yml") {
		return yamlfile.Read(name)
	}
	data, err := shipped.ReadFile(path.Join("profiles", name+".yaml"))
	if err != nil {
		hint := ""
		if near := yamlfile.Nearest(name, Names()); near != "" {
			hint = fmt.Sprintf(": did you mean %s?", near)
		}
		return nil, fmt.Errorf("there is no profile %q%s (there are %s, and files ending in .yaml)", name, hint, strings.Join(Names(), ", "))
	}
	return yamlfile.Parse(name+".yaml", data)
}

// check finds constants that make no sense.
func (p *Profile) check(doc *yamlfile.Document) {
	for path, n := range map[string]int{
		"store.lookups": p.Store.Lookups, "store.servers": p.Store.Servers,
		"invocation.task_retries": p.Invocation.TaskRetries, "invocation.attempts": p.Invocation.Attempts,
	} {
		if n < 0 || n > 1_000_000 {
			doc.Errorf(path, "%d: it must be at least 0", n)
		}
	}
	for path, v := range map[string]float64{
		"container.slowdown": p.Container.Slowdown, "price.gb_second": p.Price.GBSecond, "price.task": p.Price.Task,
	} {
		if v < 0 {
			doc.Errorf(path, "%v: it must be at least 0", v)
		}
	}
	if err := p.Container.ColdStart.Check(); err != nil {
		doc.Errorf("container.cold_start", "%v", err)
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
