package scenarios

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/flowtwin/flowtwin/engine/schedulers"
)

// Bundle is all that another process needs to make the same trial.
type Bundle struct {
	// Name is what the scenario's file is called, Source its text.
	Name     string
	Source   []byte
	Settings []string
	Limit    time.Duration
	// Files are what is in the files that it names.
	Files map[string][]byte
	// Point and Number are the trial's.
	Point, Number int
}

// Bundle returns what the trial was made from.
func (t *Trial) Bundle() *Bundle {
	p := t.plan
	return &Bundle{p.name, p.Source, p.Settings, p.Limit, p.files, t.Point, t.Number}
}

// Planner makes the trial of a bundle; [Bundle.Trial] does, with the schedulers
// that it is given.
type Planner func(*Bundle) (*Trial, error)

// Trial makes the trial; without r, with the schedulers that ship with
// flowtwin. The error is one of the scenario's.
func (b *Bundle) Trial(r *schedulers.Registry) (*Trial, error) {
	plan, err := Parse(b.Name, b.Source, "", Options{Settings: b.Settings, Limit: b.Limit, Schedulers: r, Files: b.Files, Only: &b.Point})
	if err != nil {
		return nil, err
	}
	if b.Point < 0 || b.Point >= len(plan.Points) || b.Number < 0 || b.Number >= plan.Trials {
		return nil, fmt.Errorf("%s: there is no trial %d of point %d", b.Name, b.Number, b.Point)
	}
	return plan.Trial(b.Point, b.Number), nil
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
