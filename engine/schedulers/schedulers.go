// Package schedulers lists the schedulers that flowtwin knows: the control
// schemes, placements and data rules that can be combined, and the presets
// that are combined in a paper.
//
// A new scheduler is a folder under engine and a line here. A program of a
// user's own adds to a [Registry] what it has, without changing flowtwin.
package schedulers

import (
	"fmt"
	"slices"
	"strings"

	"github.com/flowtwin/flowtwin/engine"
	"github.com/flowtwin/flowtwin/engine/data"
	"github.com/flowtwin/flowtwin/engine/dataflower"
	"github.com/flowtwin/flowtwin/engine/mastersp"
	"github.com/flowtwin/flowtwin/engine/placement"
	"github.com/flowtwin/flowtwin/engine/workersp"
	"github.com/flowtwin/flowtwin/engine/workflow"
)

// Registry holds what schedulers can be made of. Orders are those in which
// things are listed to users.
type Registry struct {
	Controls   []Control
	Placements []Placement
	Data       []Data
	Presets    []Preset
}

// Control is a control scheme and its name.
type Control struct {
	Name, About string
	Scheme      engine.Scheme
}

// Placement is a placer and its name.
type Placement struct {
	Name, About string
	Placer      placement.Placer
}

// Data is a data rule and its name.
type Data struct {
	Name, About string
	Rule        engine.DataRule
}

// Preset is a scheduler of its own name: three choices.
type Preset struct {
	Name, About              string
	Control, Placement, Data string
}

// Builtin returns the schedulers that ship with flowtwin.
func Builtin() *Registry {
	return &Registry{
		Controls: []Control{
			{"mastersp", "a master triggers every function on the workers", mastersp.Scheme{}},
			{"workersp", "workers trigger each other (FaaSFlow)", workersp.Scheme{}},
			{"dataflower", "data availability triggers (DataFlower)", dataflower.Scheme{}},
		},
		Placements: []Placement{
			{"hash", "by a hash of the function's name", placement.Hash{}},
			{"faasflow", "FaaSFlow's graph partition, as in the artefact", placement.FaaSFlow{Parameters: placement.ArtefactParameters()}},
			{"faasflow-improved", "a partition by what is really read, for graphs of any size", placement.FaaSFlowImproved{Parameters: placement.ArtefactParameters()}},
			{"spread", "functions in turn", placement.Spread{}},
			{"dataflower", "by the tables of DataFlower's artefact for its four workflows on up to three workers, others in turn", placement.DataFlower{}},
		},
		Data: []Data{
			{"remote", "everything goes through the remote store", remote{}},
			{"faastore", "through the node's memory where producer and consumers share it (FaaStore)", faastore{}},
			{"pipe", "streamed from the moment it is posted, past the function, to the nodes that read it (DataFlower)", pipe{}},
		},
		Presets: []Preset{
			{"mastersp", "HyperFlow-serverless, the baseline of the FaaSFlow paper", "mastersp", "hash", "remote"},
			{"faasflow", "FaaSFlow (ASPLOS'22) with FaaStore", "workersp", "faasflow", "faastore"},
			{"dataflower", "DataFlower (ASPLOS'24)", "dataflower", "spread", "pipe"},
		},
	}
}

// Make returns the scheduler of the given choices. Its name is the preset's
// if they are those of one, else "control+placement+data".
func (r *Registry) Make(control, place, data string) (engine.Scheduler, error) {
	s := engine.Scheduler{Name: control + "+" + place + "+" + data}
	c := slices.IndexFunc(r.Controls, func(c Control) bool { return c.Name == control })
	p := slices.IndexFunc(r.Placements, func(p Placement) bool { return p.Name == place })
	d := slices.IndexFunc(r.Data, func(d Data) bool { return d.Name == data })
	switch {
	case c < 0:
		return s, unknown("control scheme", control, r.ControlNames())
	case p < 0:
		return s, unknown("placement", place, r.PlacementNames())
	case d < 0:
		return s, unknown("data rule", data, r.DataNames())
	}
	for _, preset := range r.Presets {
		if preset.Control == control && preset.Placement == place && preset.Data == data {
			s.Name = preset.Name
		}
	}
	s.Control, s.Placement, s.Data = r.Controls[c].Scheme, r.Placements[p].Placer, r.Data[d].Rule
	return s, nil
}

// Preset returns the choices of a preset.
func (r *Registry) Preset(name string) (Preset, error) {
	for _, p := range r.Presets {
		if p.Name == name {
			return p, nil
		}
	}
	names := make([]string, len(r.Presets))
	for i, p := range r.Presets {
		names[i] = p.Name
	}
	return Preset{}, unknown("scheduler", name, names)
}

// ControlNames lists the control schemes.
func (r *Registry) ControlNames() []string {
	names := make([]string, len(r.Controls))
	for i, c := range r.Controls {
		names[i] = c.Name
	}
	return names
}

// PlacementNames lists the placements.
func (r *Registry) PlacementNames() []string {
	names := make([]string, len(r.Placements))
	for i, p := range r.Placements {
		names[i] = p.Name
	}
	return names
}

// DataNames lists the data rules.
func (r *Registry) DataNames() []string {
	names := make([]string, len(r.Data))
	for i, d := range r.Data {
		names[i] = d.Name
	}
	return names
}

func unknown(what, name string, known []string) error {
	return fmt.Errorf("there is no %s %q: there are %s", what, name, strings.Join(known, ", "))
}

// remote is the baseline's data rule.
type remote struct{}

func (remote) Targets(w *workflow.Workflow, _, _ []int32) []data.Target { return data.Remote(w) }

// faastore is FaaStore.
type faastore struct{}

func (faastore) Targets(w *workflow.Workflow, group, worker []int32) []data.Target {
	return data.FaaStore(w, group, worker)
}

// pipe is DataFlower's way.
type pipe struct{}

func (pipe) Targets(w *workflow.Workflow, _, _ []int32) []data.Target { return data.Piped(w) }

// Streams says that the outputs of a function may be under way when it ends.
func (pipe) Streams() {}
