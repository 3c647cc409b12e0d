package flowtwin_test

import (
	"cmp"
	"context"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/flowtwin/flowtwin/emu/local"
	"github.com/flowtwin/flowtwin/engine"
	"github.com/flowtwin/flowtwin/engine/workflow"
	"github.com/flowtwin/flowtwin/results/record"
	"github.com/flowtwin/flowtwin/results/rundir"
	"github.com/flowtwin/flowtwin/scenarios"
	"github.com/flowtwin/flowtwin/sim"
)

// mixed has all that engines know: lists of random length, items, gathering, a
// switch, inputs from outside, random sizes and times, outputs that are posted
// early.
const mixed = `
name: mixed
functions:
  start:
    compute: {uniform: [2ms, 5ms]}
    global_inputs: [20kB]
    outputs:
      parts: {items: {uniform: [2, 5]}, size: {lognormal: {mean: 30kB, sd: 20kB}}}
      model: {size: {uniform: [1kB, 50kB]}, posted_at: 30%}
  work:
    foreach: start.parts
    inputs: [start.parts, start.model]
    compute: {exponential: 5ms}
    outputs: {done: {size: {exponential: 10kB}}}
  merge:
    merge: true
    inputs: [work.done]
    compute: 3ms
    outputs: {all: 5kB}
  choose:
    after: [merge]
    inputs: [merge.all]
    switch: [{to: [left], probability: 50%}, {to: [right], probability: 50%}]
  left: {compute: 5ms, inputs: [merge.all], outputs: {result: 100}}
  right: {compute: 9ms, inputs: [merge.all, start.model], outputs: {result: 200}}
`

const bothWorlds = `
name: both
workflows: [faasflow/wordcount, mixed.yaml]
cluster: {workers: 3, storage: {cap: 50MB/s}}
load: {clients: 1, limit: 6}
schedulers: [mastersp, faasflow, dataflower, mastersp+hash+pipe, workersp+spread+pipe, dataflower+spread+faastore]
seed: 11
profile: ideal
tasks: true
`

// hopping sends little data, which fits into messages.
const hopping = `
name: hops
functions:
  a: {compute: 2ms, outputs: {x: 1KB}}
  b: {inputs: [a.x], compute: 2ms, outputs: {y: 1KB}}
  c: {inputs: [b.y], compute: 2ms, outputs: {z: 1KB}}
`

// kept keeps the records of a trial.
type kept struct {
	invocations []record.Invocation
	tasks       []record.Task
}

func (k *kept) Invocation(i *record.Invocation) { k.invocations = append(k.invocations, *i) }
func (k *kept) Task(t *record.Task)             { k.tasks = append(k.tasks, *t) }
func (k *kept) WantsTasks() bool                { return true }

func parse(t *testing.T, text string) *scenarios.Plan {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{"mixed.yaml": mixed, "hops.yaml": hopping, "chain.yaml": chain, "light.yaml": light} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	plan, err := scenarios.Parse("test.yaml", []byte(text), dir, scenarios.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return plan
}

// in runs the first trial of a point in a world. Invocations are in the order
// of their numbers.
func in(t *testing.T, w rundir.World, plan *scenarios.Plan, point int) *kept {
	t.Helper()
	k := &kept{}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := w.Run(ctx, plan.Trial(point, 0), k); err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(k.invocations, func(a, b record.Invocation) int {
		return cmp.Or(cmp.Compare(a.Workflow, b.Workflow), cmp.Compare(a.Number, b.Number))
	})
	return k
}

func emulator(t *testing.T) rundir.World {
	t.Helper()
	w, err := local.New(context.Background(), local.Options{Warn: func(text string) { t.Error(text) }})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// facts are what a record says that does not depend on time.
type facts struct {
	Workflow                                           int
	Number                                             int64
	Outcome                                            engine.Outcome
	Attempts, Tasks, Messages                          int
	RemoteRead, RemoteWritten, LocalRead, LocalWritten int64
}

func factsOf(i *record.Invocation) facts {
	return facts{
		i.Workflow, i.Number, i.Outcome, i.Attempts, i.Tasks, i.Messages, i.RemoteRead, i.RemoteWritten, i.LocalRead, i.LocalWritten,
	}
}

// chain lists the functions that an invocation waited for, one after the other.
func (k *kept) chain(i *record.Invocation) []workflow.FunctionID {
	var on []record.Task
	for _, t := range k.tasks {
		if t.Critical && t.Workflow == i.Workflow && t.Number == i.Number {
			on = append(on, t)
		}
	}
	slices.SortFunc(on, func(a, b record.Task) int { return cmp.Compare(a.Until, b.Until) })
	var functions []workflow.FunctionID
	for _, t := range on {
		functions = append(functions, t.Function)
	}
	return functions
}

// Whatever is not a matter of time is the same in both worlds, to the byte and
// to the message, for every invocation, and so is the chain of functions that it
// waited for, as here these come one after the other. Times are alike.
func TestBothWorldsMeetTheSame(t *testing.T) {
	plan := parse(t, bothWorlds)
	for point := range plan.Points {
		t.Run(plan.Points[point].Scheduler, func(t *testing.T) {
			simulated, emulated := in(t, sim.World{}, plan, point), in(t, emulator(t), plan, point)
			latency := alike(t, simulated, emulated)
			// Generous: the emulator has its own costs, and others may use the machine.
			if low, high := latency[0]/2, latency[0]*3+12*engine.Second; latency[1] < low || latency[1] > high {
				t.Errorf("all together took %d ms in the emulator, %d ms in the simulator", latency[1]/1e6, latency[0]/1e6)
			}
			if len(simulated.tasks) != len(emulated.tasks) {
				t.Errorf("%d tasks in the simulator, %d in the emulator", len(simulated.tasks), len(emulated.tasks))
			}
		})
	}
}

// alike requires that two worlds have met the same invocations, and returns how
// long these took there, all together.
func alike(t *testing.T, simulated, emulated *kept) (latency [2]engine.Time) {
	t.Helper()
	if len(simulated.invocations) != 12 || len(emulated.invocations) != 12 {
		t.Fatalf("%d invocations in the simulator, %d in the emulator, want 12", len(simulated.invocations), len(emulated.invocations))
	}
	for n := range simulated.invocations {
		s, e := &simulated.invocations[n], &emulated.invocations[n]
		if factsOf(s) != factsOf(e) {
			t.Errorf("simulated %+v\n emulated %+v", factsOf(s), factsOf(e))
		}
		if s, e := simulated.chain(s), emulated.chain(e); len(s) < 3 || !slices.Equal(s, e) {
			t.Errorf("invocation %d waited for the functions %v in the simulator, for %v in the emulator", n, s, e)
		}
		sum := engine.Time(0)
		for _, p := range e.Phases {
			sum += p
		}
		if sum != e.Latency() {
			t.Errorf("the phases of %d add up to %d ns, its latency is %d ns", e.Number, sum, e.Latency())
		}
		latency[0] += s.Latency()
		latency[1] += e.Latency()
	}
	return latency
}

const hops = `
name: hops
workflows: [hops.yaml]
cluster: {workers: 2}
load: {clients: 1, limit: 20}
schedulers:
  - {name: mastersp, control: mastersp, data: remote, placement: explicit, table: {hops: {a: 1, b: 2, c: 1}}}
  - {name: workersp, control: workersp, data: faastore, placement: explicit, table: {hops: {a: 1, b: 2, c: 1}}}
  - {name: dataflower, control: dataflower, data: pipe, placement: explicit, table: {hops: {a: 1, b: 2, c: 1}}}
profile: ideal
`

// A function that triggers another on another node takes a message or two, and
// the agents' time. Both worlds see the same hops: all but those of the first
// invocation, which meets cold containers.
func TestBothWorldsMeasureTheSameHops(t *testing.T) {
	plan := parse(t, hops)
	for point := range plan.Points {
		t.Run(plan.Points[point].Scheduler, func(t *testing.T) {
			simulated, emulated := in(t, sim.World{}, plan, point), in(t, emulator(t), plan, point)
			var took []float64
			for n := range emulated.invocations {
				s, e := &simulated.invocations[n], &emulated.invocations[n]
				if want := min(n, 1) * 2; s.Hops != want || e.Hops != want {
					t.Errorf("invocation %d: %d hops in the simulator, %d in the emulator, by hand %d", n, s.Hops, e.Hops, want)
				}
				if n > 0 {
					took = append(took, e.HopOverhead())
				}
			}
			slices.Sort(took)
			// Generous: others may use the machine.
			if median := took[len(took)/2]; !(took[0] > 0 && median < 0.1) {
				t.Errorf("hops take from %v s, the median is %v s", took[0], median)
			}
		})
	}
}

// A trial leaves nothing behind: no goroutine, no connection.
func TestEmulatedTrialsLeaveNothingBehind(t *testing.T) {
	plan := parse(t, strings.Replace(bothWorlds, "limit: 6", "limit: 2", 1))
	w := emulator(t)
	in(t, w, plan, 0)
	before := goroutines(1 << 30)
	for range 2 {
		in(t, w, plan, 1)
	}
	if after := goroutines(before); after > before {
		stacks := make([]byte, 1<<20)
		t.Errorf("%d goroutines before, %d after\n%s", before, after, stacks[:runtime.Stack(stacks, true)])
	}
}

// goroutines returns how many there are, once they are as few as wanted or
// have had time to end.
func goroutines(wanted int) int {
	n := runtime.NumGoroutine()
	for until := time.Now().Add(5 * time.Second); n > wanted && time.Now().Before(until); n = runtime.NumGoroutine() {
		time.Sleep(10 * time.Millisecond)
	}
	return n
}

// An interrupted trial ends soon, and leaves nothing behind either.
func TestEmulatedTrialCanBeInterrupted(t *testing.T) {
	plan := parse(t, strings.Replace(bothWorlds, "limit: 6", "limit: 1000", 1))
	w := emulator(t)
	before := runtime.NumGoroutine()
	ctx, cancel := context.WithTimeout(context.Background(), 700*time.Millisecond)
	defer cancel()
	began := time.Now()
	k := &kept{}
	if err := w.Run(ctx, plan.Trial(0, 0), k); err == nil || time.Since(began) > 10*time.Second {
		t.Errorf("it ended after %v with %v", time.Since(began), err)
	}
	if after := goroutines(before); after > before {
		t.Errorf("%d goroutines before, %d after", before, after)
	}
}
