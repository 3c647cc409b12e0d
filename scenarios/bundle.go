package scenarios

import (
	"encoding/json"
	"time"

	"github.com/flowtwin/flowtwin/engine/schedulers"
)

// Bundle is all that another process needs to make the same plan.
type Bundle struct {
	// Name is what the scenario's file is called, Source its text.
	Name     string
	Source   []byte
	Settings []string
	Limit    time.Duration
	// Files are what is in the files that it names.
	Files map[string][]byte
}

// Bundle returns what the plan of the trial was made from.
func (t *Trial) Bundle() *Bundle {
	p := t.plan
	return &Bundle{p.name, p.Source, p.Settings, p.Limit, p.files}
}

// Planner makes the plan of a bundle; [Bundle.Plan] does, with the schedulers
// that it is given.
type Planner func(*Bundle) (*Plan, error)

// Plan makes the plan; without r, with the schedulers that ship with flowtwin.
// The error is one of the scenario's.
func (b *Bundle) Plan(r *schedulers.Registry) (*Plan, error) {
	return Parse(b.Name, b.Source, "", Options{Settings: b.Settings, Limit: b.Limit, Schedulers: r, Files: b.Files})
}

// MarshalBinary writes the bundle for another process, as JSON.
func (b *Bundle) MarshalBinary() ([]byte, error) {
	type plain Bundle // Without this method.
	return json.Marshal((*plain)(b))
}

// UnmarshalBinary reads what MarshalBinary has written.
func (b *Bundle) UnmarshalBinary(text []byte) error {
	type plain Bundle
	return json.Unmarshal(text, (*plain)(b))
}
