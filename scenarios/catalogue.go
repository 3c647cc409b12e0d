package scenarios

import (
	"fmt"
	"slices"
	"strings"

	"github.com/flowtwin/flowtwin/benchmarks"
	"github.com/flowtwin/flowtwin/engine/schedulers"
	"github.com/flowtwin/flowtwin/scenarios/profile"
	"github.com/flowtwin/flowtwin/scenarios/yamlfile"
)

// Catalogue lists what a scenario can name.
type Catalogue struct {
	Sections []Section `json:"sections"`
}

// Section is a list of things of one kind.
type Section struct {
	Topic string `json:"topic"`
	Items []Item `json:"items"`
}

// Item is one thing and what it is.
type Item struct {
	Name  string `json:"name"`
	About string `json:"about"`
}

// List lists all that ships with flowtwin.
func List() (*Catalogue, error) {
	c := &Catalogue{}
	add := func(topic string) *Section {
		c.Sections = append(c.Sections, Section{Topic: topic})
		return &c.Sections[len(c.Sections)-1]
	}
	s := add("workflows")
	for _, name := range benchmarks.Names() {
		w, err := benchmarks.Lookup(name)
		if err != nil {
			return nil, err
		}
		_, critical := w.CriticalPath()
		s.Items = append(s.Items, Item{name, fmt.Sprintf("%d functions, critical path %.3g s", len(w.Functions), critical/1e9)})
	}
	for _, f := range benchmarks.Families() {
		s.Items = append(s.Items, Item{f.Pattern(), f.About})
	}
	for _, name := range benchmarks.Generated() {
		s.Items = append(s.Items, Item{"{generate: " + name + ", functions: N}", "its stages at any size from 10 to 1000000 functions"})
	}
	s = add("scenarios")
	for _, name := range ShippedNames() {
		text, _ := Shipped(name)
		doc, err := yamlfile.Parse(name, text)
		if err != nil {
			return nil, err
		}
		title, _ := doc.Root().Get("title")
		s.Items = append(s.Items, Item{name, title.Text()})
	}
	r := schedulers.Builtin()
	s = add("schedulers")
	for _, p := range r.Presets {
		s.Items = append(s.Items, Item{p.Name, fmt.Sprintf("%s (%s + %s + %s)", p.About, p.Control, p.Placement, p.Data)})
	}
	s = add("controls")
	for _, x := range r.Controls {
		s.Items = append(s.Items, Item{x.Name, x.About})
	}
	s = add("placements")
	for _, x := range r.Placements {
		s.Items = append(s.Items, Item{x.Name, x.About})
	}
	s.Items = append(s.Items, Item{"explicit", "by a table in the scenario"})
	s = add("data")
	for _, x := range r.Data {
		s.Items = append(s.Items, Item{x.Name, x.About})
	}
	s = add("profiles")
	for _, name := range profile.Names() {
		p, err := profile.Load(name, yamlfile.Value{})
		if err != nil {
			return nil, err
		}
		s.Items = append(s.Items, Item{name, p.Description})
	}
	s = add("figures")
	for _, k := range FigureKinds() {
		s.Items = append(s.Items, Item{k.Name, k.About})
	}
	return c, nil
}

// Topics lists the topics of the sections.
func (c *Catalogue) Topics() []string {
	topics := make([]string, len(c.Sections))
	for i, s := range c.Sections {
		topics[i] = s.Topic
	}
	return topics
}

// Only returns the catalogue of one topic.
func (c *Catalogue) Only(topic string) (*Catalogue, error) {
	at := slices.IndexFunc(c.Sections, func(s Section) bool { return s.Topic == topic })
	if at < 0 {
		return nil, fmt.Errorf("there is no list of %q: there are lists of %s", topic, strings.Join(c.Topics(), ", "))
	}
	return &Catalogue{Sections: c.Sections[at : at+1]}, nil
}
