package sim_test

import (
	"context"
	"testing"

	"github.com/flowtwin/flowtwin/engine"
	"github.com/flowtwin/flowtwin/results/record"
	"github.com/flowtwin/flowtwin/scenarios"
	"github.com/flowtwin/flowtwin/sim"
)

// plan reads a scenario from text. Files that it names are in testdata.
func plan(t testing.TB, text string, settings ...string) *scenarios.Plan {
	t.Helper()
	p, err := scenarios.Parse("test.yaml", []byte(text), "testdata", scenarios.Options{Settings: settings})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// records keeps all records of a trial.
type records struct {
	invocations []record.Invocation
	tasks       []record.Task
}

func (r *records) Invocation(i *record.Invocation) { r.invocations = append(r.invocations, *i) }
func (r *records) Task(t *record.Task)             { r.tasks = append(r.tasks, *t) }
func (r *records) WantsTasks() bool                { return true }

// simulate runs the first trial of a point.
func simulate(t testing.TB, p *scenarios.Plan, point int) *records {
	t.Helper()
	r := &records{}
	if err := (sim.World{}).Run(context.Background(), p.Trial(point, 0), r); err != nil {
		t.Fatal(err)
	}
	for i := range r.invocations {
		checkRecord(t, &r.invocations[i])
	}
	return r
}

// checkRecord checks what holds for every record.
func checkRecord(t testing.TB, i *record.Invocation) {
	t.Helper()
	sum := engine.Time(0)
	for p, phase := range i.Phases {
		if sum += phase; phase < 0 {
			t.Fatalf("invocation %d: %v took %d ns", i.Number, record.Phase(p), phase)
		}
	}
	if sum != i.Latency() {
		t.Fatalf("invocation %d: its phases add up to %d ns, its latency is %d ns", i.Number, sum, i.Latency())
	}
}

// task returns the record of a task of the first invocation.
func (r *records) task(t testing.TB, p *scenarios.Plan, name string) record.Task {
	t.Helper()
	return r.of(t, p, 0, name)
}

// of returns the record of a task of an invocation.
func (r *records) of(t testing.TB, p *scenarios.Plan, number int64, name string) record.Task {
	t.Helper()
	w := p.Trial(0, 0).Workflows[0]
	for _, task := range r.tasks {
		if task.Number == number && w.Functions[task.Function].Name+task.Path.String() == name {
			return task
		}
	}
	t.Fatalf("invocation %d has no task %s", number, name)
	return record.Task{}
}
