package engine_test

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/flowtwin/flowtwin/engine"
	"github.com/flowtwin/flowtwin/engine/dataflower"
	"github.com/flowtwin/flowtwin/engine/draw"
	"github.com/flowtwin/flowtwin/engine/enginetest"
	"github.com/flowtwin/flowtwin/engine/mastersp"
	"github.com/flowtwin/flowtwin/engine/placement"
	"github.com/flowtwin/flowtwin/engine/pool"
	"github.com/flowtwin/flowtwin/engine/workersp"
	"github.com/flowtwin/flowtwin/engine/workflow"
)

// TestMain has properties checked more often than is usual, as a check takes
// less than a millisecond. To look for rare cases:
//
//	go test ./engine -tags invariants -rapid.checks=100000
func TestMain(m *testing.M) {
	if err := flag.Set("rapid.checks", "1500"); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

// schemes are all control schemes.
var schemes = []struct {
	name   string
	scheme engine.Scheme
}{
	{"mastersp", mastersp.Scheme{}},
	{"workersp", workersp.Scheme{}},
	{"dataflower", dataflower.Scheme{}},
}

// forEachScheme checks a property of all schemes, each with all data rules, as
// newDriver draws one. A failing case of one is shrunk by itself.
func forEachScheme(t *testing.T, property func(*rapid.T, engine.Scheme)) {
	for _, s := range schemes {
		t.Run(s.name, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) { property(t, s.scheme) })
		})
	}
}

// anywhere is a placement by chance, which groups have no say in.
type anywhere uint64

func (seed anywhere) Place(workflows []*workflow.Workflow, workers []placement.Worker) (placement.Placement, error) {
	dice := enginetest.Dice{State: uint64(seed) + uint64(len(workers))}
	var p placement.Placement
	for _, w := range workflows {
		worker, group := make([]int32, len(w.Functions)), make([]int32, len(w.Functions))
		for f := range worker {
			worker[f], group[f] = int32(dice.Roll(len(workers))), int32(dice.Roll(3))
		}
		p.Worker, p.Group = append(p.Worker, worker), append(p.Group, group)
	}
	return p, nil
}

func drawInt(t *rapid.T, name string, low, high int) int {
	return rapid.IntRange(low, high).Draw(t, name)
}

func drawBool(t *rapid.T, name string) bool { return rapid.Bool().Draw(t, name) }

// drawWorkflows makes one or two workflows.
func drawWorkflows(t *rapid.T) []*workflow.Workflow {
	var workflows []*workflow.Workflow
	for i := range drawInt(t, "workflows", 1, 2) {
		size := drawInt(t, "size", 1, 30)
		w, err := enginetest.RandomWorkflow(fmt.Sprintf("w%d", i), size, func(n int) int { return drawInt(t, "choice", 0, n-1) })
		if err != nil {
			t.Fatal(err)
		}
		workflows = append(workflows, w)
		t.Log(describe(w))
	}
	return workflows
}

// describe shows a workflow for a failing case.
func describe(w *workflow.Workflow) string {
	text := w.Name
	for f := range w.Functions {
		f := &w.Functions[f]
		text += fmt.Sprintf("\n%s %v after %v", f.Name, f.Kind, f.After)
		if f.Foreach != nil {
			text += fmt.Sprintf(" foreach %v", *f.Foreach)
		}
		if f.Merge {
			text += " merge"
		}
		if f.Join == workflow.JoinFirst {
			text += " first"
		}
		for _, b := range f.Branches {
			text += fmt.Sprintf(" branch %v", b.To)
		}
		if f.MaxContainers > 0 {
			text += fmt.Sprintf(" cap %d", f.MaxContainers)
		}
		for _, in := range f.Inputs {
			text += fmt.Sprintf(" reads %d.%d", in.From, in.Output)
		}
	}
	return text
}

// drawCluster makes a cluster of one to four workers. Unless apart is asked
// for, the gateway, the store and a worker may share a machine.
func drawCluster(t *rapid.T, apart bool) engine.Cluster {
	c := enginetest.Cluster(drawInt(t, "workers", 1, 4))
	if apart {
		return c
	}
	shift := engine.NodeID(drawInt(t, "roles on one machine", 0, 2))
	c.Storage = max(c.Storage-shift, 0)
	for i := range c.Workers {
		c.Workers[i] -= shift
	}
	return c
}

// drawRules switches quirks on and off.
func drawRules(t *rapid.T) engine.Rules {
	const ms = int(engine.Millisecond)
	return engine.Rules{
		Attempts: 1,
		Pool: pool.Rules{
			KeepAlive:   int64(rapid.SampledFrom([]int{0, 1, 30 * ms}).Draw(t, "keep-alive")),
			CheckEvery:  int64(rapid.SampledFrom([]int{0, 7 * ms}).Draw(t, "check every")),
			CapOffByOne: drawBool(t, "cap off by one"),
		},
		DispatchTick:          engine.Time(rapid.SampledFrom([]int{0, 5 * ms}).Draw(t, "tick")),
		BindColdStart:         drawBool(t, "bind cold start"),
		ProbeAllWorkers:       drawBool(t, "probe all workers"),
		PlacementQuery:        drawBool(t, "placement query"),
		TimingDocuments:       drawBool(t, "timing documents"),
		ListDocuments:         drawBool(t, "list documents"),
		OneDocumentPerRequest: drawBool(t, "one document"),
		LogDocuments:          drawBool(t, "log documents"),
		MissingGlobalInputs:   drawBool(t, "missing global inputs"),
		Inline:                int64(rapid.SampledFrom([]int{-1, 1 << 14}).Draw(t, "inline")),
		EarlyStart:            drawBool(t, "early start"),
		Pressure:              engine.Pressure{Rate: float64(rapid.SampledFrom([]int{0, 1000}).Draw(t, "pressure")), Least: engine.Time(5 * ms)},
		MemoryLifetime:        engine.Time(rapid.SampledFrom([]int{0, 1, 20 * ms}).Draw(t, "memory lifetime")),
		RequestDocument:       drawBool(t, "request document"),
		MatchTick:             engine.Time(rapid.SampledFrom([]int{0, ms / 2}).Draw(t, "match tick")),
		CountAtEnd:            drawBool(t, "count at end"),
		ForeachRace:           drawBool(t, "foreach race"),
	}
}

func drawRule(t *rapid.T) engine.DataRule {
	return rapid.SampledFrom([]engine.DataRule{enginetest.Remote{}, enginetest.Memory{}, enginetest.Pipe{}}).Draw(t, "data")
}

// newDriver makes a driver in which everything takes a time that the dice
// decide.
func newDriver(t *rapid.T, s engine.Scheme, c engine.Cluster, workflows []*workflow.Workflow, r engine.Rules) (*enginetest.Driver, *enginetest.Dice) {
	seed := rapid.Uint64().Draw(t, "seed")
	scheduler := engine.Scheduler{Name: "test", Control: s, Placement: anywhere(seed), Data: drawRule(t)}
	system, err := engine.NewSystem(workflows, c, scheduler, r)
	if err != nil {
		t.Fatal(err)
	}
	dice := &enginetest.Dice{State: seed}
	d := enginetest.NewDriver(system)
	d.Quiet = true
	d.Facts = enginetest.Drawn{System: system, Source: draw.New(seed), MaxItems: uint32(drawInt(t, "items", 0, 3))}
	upTo := func(most engine.Time) func(*engine.Effect) engine.Time {
		return func(*engine.Effect) engine.Time {
			if dice.Roll(8) == 0 {
				return engine.Time(dice.Roll(int(10 * most)))
			}
			return engine.Time(dice.Roll(3)) * most / 2 // Often at the same time.
		}
	}
	d.MessageTime, d.StartTime = upTo(2*engine.Millisecond), upTo(20*engine.Millisecond)
	d.ComputeTime, d.DocumentTime = upTo(10*engine.Millisecond), upTo(2*engine.Millisecond)
	stream, prefetch := upTo(5*engine.Millisecond), upTo(3*engine.Millisecond)
	d.StreamTime = func() engine.Time { return stream(nil) }
	d.PrefetchTime = func() engine.Time { return prefetch(nil) }
	d.Backlog = func(*engine.Effect) int64 { return int64(dice.Roll(50)) }
	return d, dice
}

// arrivals lets one to four invocations of each workflow arrive, and returns
// their workflows by number.
func arrivals(t *rapid.T, d *enginetest.Driver) map[int64]engine.WorkflowID {
	all := map[int64]engine.WorkflowID{}
	for w := range d.System.Workflows {
		for range drawInt(t, "invocations", 1, 4) {
			d.Arrive(engine.Time(drawInt(t, "arrival", 0, 100))*engine.Millisecond, engine.WorkflowID(w))
			all[int64(len(all)+1)] = engine.WorkflowID(w)
		}
	}
	return all
}

const manySteps = 1_000_000

// Without faults every invocation completes, and runs exactly the instances
// that the definition of the workflow's control structures says, each once and
// after all those before it, whatever comes first and wherever it runs.
func TestEveryInvocationRunsWhatItHasTo(t *testing.T) {
	forEachScheme(t, func(t *rapid.T, s engine.Scheme) {
		workflows, rules := drawWorkflows(t), drawRules(t)
		if rules.Pool.DeadlockAtCap = drawBool(t, "deadlock at cap"); rules.Pool.DeadlockAtCap {
			for _, w := range workflows {
				for f := range w.Functions {
					w.Functions[f].MaxContainers = 0
				}
			}
		}
		d, _ := newDriver(t, s, drawCluster(t, false), workflows, rules)
		all := arrivals(t, d)
		if err := d.Run(manySteps); err != nil {
			t.Fatal(err)
		}
		if err := d.CheckQuiet(); err != nil {
			t.Error(err)
		}
		for _, e := range d.Ended {
			if e.Outcome != engine.Completed || e.Attempts != 1 {
				t.Errorf("invocation %d: %+v", e.Number, e)
			}
		}
		if len(d.Ended) != len(all) {
			t.Errorf("%d invocations have arrived, %d have ended", len(all), len(d.Ended))
		}
		for number, id := range all {
			checkRuns(t, d, number, id)
		}
		for id, n := range d.Nodes {
			// Data may arrive that nobody waits for any more.
			if stale := n.Counters().Stale; stale > 0 && d.System.Inboxes == nil {
				t.Errorf("node %d has got %d stale messages", id, stale)
			}
		}
	})
}

// checkRuns compares what an invocation ran with what it should have.
func checkRuns(t *rapid.T, d *enginetest.Driver, number int64, id engine.WorkflowID) {
	w := d.System.Workflows[id]
	_, driven := d.System.Scheduler.Control.(engine.DataDriven)
	reference := enginetest.NewReference(d.System, id, d.Facts, number)
	ran := map[enginetest.Instance]*enginetest.Run{}
	for _, r := range d.Runs {
		if r.Number != number {
			continue
		}
		i := enginetest.Instance{Function: r.Subject.Function, Path: r.Subject.Path}
		if ran[i] != nil {
			t.Errorf("%s%v ran twice", w.Functions[i.Function].Name, i.Path)
		}
		ran[i] = r
	}
	tasks := reference.Tasks()
	for i := range tasks {
		r := ran[i]
		if r == nil && driven && (hasFirst(w) || d.System.Rules.ForeachRace) {
			continue // The result was there without it, as the first wins, or who reads it did not wait.
		}
		if r == nil {
			t.Errorf("%s%v has not run", w.Functions[i.Function].Name, i.Path)
			continue
		}
		ended := func(before, to enginetest.Instance) bool {
			if driven && !endsBefore(w, before.Function, to.Function) {
				return true // The driver makes sure that its data are there.
			}
			b := ran[before]
			return b == nil || b.End != 0 && b.End <= r.Begin
		}
		overtakes := driven && d.System.Rules.ForeachRace && i.Path.Depth() > 0
		if !overtakes && !reference.Ready(i, ended) {
			t.Errorf("%s%v began before what triggers it had ended", w.Functions[i.Function].Name, i.Path)
		}
	}
	if len(ran) > len(tasks) {
		t.Errorf("%d instances ran, %d should have", len(ran), len(tasks))
	}
}

// endsBefore reports whether nothing but the end of one function can trigger
// another: there is a control edge, and no data are handed on.
func endsBefore(w *workflow.Workflow, from, to workflow.FunctionID) bool {
	return slices.Contains(w.Functions[to].After, from) && !slices.ContainsFunc(w.Functions[to].Inputs, func(in workflow.Input) bool {
		return in.From == from
	})
}

// hasFirst reports whether a workflow has a join that its first edge wins, so
// that it can have its result before all that leads there has run.
func hasFirst(w *workflow.Workflow) bool {
	return slices.ContainsFunc(w.Functions, func(f workflow.Function) bool { return f.Join == workflow.JoinFirst })
}
