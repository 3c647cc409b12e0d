package rundir_test

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/flowtwin/flowtwin/engine"
	"github.com/flowtwin/flowtwin/results/record"
	"github.com/flowtwin/flowtwin/results/rundir"
	"github.com/flowtwin/flowtwin/scenarios"
	"github.com/flowtwin/flowtwin/sim"
)

// late is the simulator with a generator that sends each invocation late.
type late struct{ by engine.Time }

func (w late) Run(ctx context.Context, t *scenarios.Trial, r record.Recorder) error {
	return sim.World{}.Run(ctx, t, delayed{r, w.by})
}

type delayed struct {
	record.Recorder
	by engine.Time
}

func (d delayed) Invocation(i *record.Invocation) {
	i.Sent += d.by
	d.Recorder.Invocation(i)
}

// A run whose generator was late by more than a tenth of the latency fails, and
// all of it can be read.
func TestLagSpoilsARun(t *testing.T) {
	p := plan(t, "name: late\nworkflows: [faasflow/wordcount]\nload: {clients: 1, limit: 5}\nschedulers: [mastersp, faasflow]\nprofile: ideal\n")
	inTime, err := rundir.Execute(context.Background(), p, late{}, options(filepath.Join(t.TempDir(), "run")))
	if err != nil {
		t.Fatal(err)
	}
	masterSP, faasFlow := inTime.Series[0].Latencies[2], inTime.Series[1].Latencies[2] // the medians, in s
	if masterSP < 1.2*faasFlow {
		t.Fatalf("the medians are %v and %v s: there is nothing between a tenth of each", masterSP, faasFlow)
	}
	for _, test := range []struct {
		lag     float64 // in s
		spoiled int
	}{{faasFlow * 0.09, 0}, {faasFlow * 0.11, 1}, {masterSP * 0.11, 2}} {
		dir := filepath.Join(t.TempDir(), "run")
		_, err := rundir.Execute(context.Background(), p, late{engine.Time(test.lag * 1e9)}, options(dir))
		var lag *rundir.LagError
		switch {
		case test.spoiled == 0 && err != nil:
			t.Errorf("late by %v s: %v", test.lag, err)
		case test.spoiled > 0 && (!errors.As(err, &lag) || lag.Spoiled != test.spoiled || !strings.Contains(err.Error(), "ms late or more")):
			t.Errorf("late by %v s: the error is %v, want one of %d series", test.lag, err, test.spoiled)
		}
		m, run, err := rundir.Read(dir)
		if err != nil || m.Status != "complete" || len(run.Series) != 2 || len(run.Series[0].Latencies) != 5 {
			t.Errorf("late by %v s: %v: the run cannot be read", test.lag, err)
		}
	}
}
