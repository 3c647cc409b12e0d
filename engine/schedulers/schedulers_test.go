package schedulers_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/flowtwin/flowtwin/engine"
	"github.com/flowtwin/flowtwin/engine/enginetest"
	"github.com/flowtwin/flowtwin/engine/placement"
	"github.com/flowtwin/flowtwin/engine/schedulers"
	"github.com/flowtwin/flowtwin/engine/workflow"
)

// Any control scheme works with any placement and any data rule.
func TestAllCombinationsRun(t *testing.T) {
	w, err := enginetest.Workflow("flow", `
a 10ms list=3
b 10ms foreach=a reads=a
c 10ms merge reads=b
s switch after=c d:0.5 e:0.5
d 10ms reads=c
e 10ms`)
	if err != nil {
		t.Fatal(err)
	}
	r := schedulers.Builtin()
	for _, control := range r.ControlNames() {
		for _, place := range r.PlacementNames() {
			for _, data := range r.DataNames() {
				t.Run(control+"+"+place+"+"+data, func(t *testing.T) {
					s, err := r.Make(control, place, data)
					if err != nil {
						t.Fatal(err)
					}
					system, err := engine.NewSystem([]*workflow.Workflow{w}, enginetest.Cluster(2), s, engine.Rules{})
					if err != nil {
						t.Fatal(err)
					}
					d := enginetest.NewDriver(system)
					d.Arrive(0, 0)
					if err := d.Run(10_000); err != nil {
						t.Fatal(err)
					}
					if len(d.Ended) != 1 || d.Ended[0].Outcome != engine.Completed || len(d.Runs) != 6 {
						t.Errorf("%+v after %d tasks", d.Ended, len(d.Runs))
					}
				})
			}
		}
	}
}

// A preset is three choices with a name; making them by hand gives the name.
func TestPresets(t *testing.T) {
	r := schedulers.Builtin()
	for _, test := range []struct{ name, control, placement, data string }{
		{"mastersp", "mastersp", "hash", "remote"},
		{"faasflow", "workersp", "faasflow", "faastore"},
	} {
		p, err := r.Preset(test.name)
		if err != nil {
			t.Fatal(err)
		}
		if got := [3]string{p.Control, p.Placement, p.Data}; got != [3]string{test.control, test.placement, test.data} {
			t.Errorf("%s is %v", test.name, got)
		}
		if s, err := r.Make(p.Control, p.Placement, p.Data); err != nil || s.Name != test.name {
			t.Errorf("%v is called %s (%v)", p, s.Name, err)
		}
	}
	if s, err := r.Make("workersp", "spread", "remote"); err != nil || s.Name != "workersp+spread+remote" {
		t.Errorf("an ablation is called %s (%v)", s.Name, err)
	}
	for _, p := range r.Presets {
		if p.About == "" {
			t.Errorf("nothing is said about %s", p.Name)
		}
		if _, err := r.Make(p.Control, p.Placement, p.Data); err != nil {
			t.Errorf("preset %s: %v", p.Name, err)
		}
	}
}

// Who asks for what does not exist is told what does.
func TestUnknownNames(t *testing.T) {
	r := schedulers.Builtin()
	for _, test := range []struct{ control, placement, data, want string }{
		{"mastersp", "hash", "remot", `there is no data rule "remot": there are ` + strings.Join(r.DataNames(), ", ")},
		{"mastersp", "", "remote", `there is no placement "": there are ` + strings.Join(r.PlacementNames(), ", ")},
		{"none", "hash", "remote", `there is no control scheme "none": there are ` + strings.Join(r.ControlNames(), ", ")},
	} {
		if _, err := r.Make(test.control, test.placement, test.data); err == nil || err.Error() != test.want {
			t.Errorf("%v, want %s", err, test.want)
		}
	}
	if _, err := r.Preset("hyperflow"); err == nil || !strings.HasPrefix(err.Error(), `there is no scheduler "hyperflow": there are mastersp, faasflow`) {
		t.Error(err)
	}
}

// A user's own scheduler is added without changing flowtwin, and leaves the
// built-in list alone.
func TestARegistryCanBeExtended(t *testing.T) {
	r := schedulers.Builtin()
	r.Placements = append(r.Placements, schedulers.Placement{Name: "mine", Placer: placement.Spread{}})
	r.Presets = append(r.Presets, schedulers.Preset{Name: "me", Control: "workersp", Placement: "mine", Data: "remote"})
	p, err := r.Preset("me")
	if err != nil {
		t.Fatal(err)
	}
	if s, err := r.Make(p.Control, p.Placement, p.Data); err != nil || s.Name != "me" || fmt.Sprint(s.Placement) != "spread" {
		t.Errorf("%+v, %v", s, err)
	}
	if _, err := schedulers.Builtin().Preset("me"); err == nil {
		t.Error("it is in the built-in list")
	}
}
