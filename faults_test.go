package flowtwin_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/flowtwin/flowtwin/emu/local"
	"github.com/flowtwin/flowtwin/emu/replay"
	"github.com/flowtwin/flowtwin/engine"
	"github.com/flowtwin/flowtwin/results/record"
	"github.com/flowtwin/flowtwin/results/rundir"
	"github.com/flowtwin/flowtwin/scenarios"
	"github.com/flowtwin/flowtwin/sim"
)

// light has lists, items, gathering and a switch, and computes for a moment.
const light = `
name: light
functions:
  split:
    compute: 2ms
    global_inputs: [5kB]
    outputs: {parts: {items: {uniform: [2, 4]}, size: {uniform: [100, 5kB]}}}
  work:
    foreach: split.parts
    inputs: [split.parts]
    compute: {exponential: 3ms}
    outputs: {done: {size: {uniform: [100, 5kB]}}}
  choose:
    after: [gather]
    inputs: [gather.all]
    switch: [{to: [left], probability: 50%}, {to: [right], probability: 50%}]
  gather:
    merge: true
    inputs: [work.done]
    compute: 1ms
    outputs: {all: 2kB}
  left: {compute: 2ms, inputs: [gather.all], outputs: {result: 100}}
  right: {compute: 3ms, inputs: [gather.all], outputs: {result: 200}}
`

const faulty = `
name: faulty
workflows: [light.yaml]
cluster: {workers: 3, link: 100MB/s}
load: {arrivals: poisson, rate: %d/s, limit: %d}
schedulers: [mastersp, faasflow, dataflower]
seed: 5
timeout: 8s
profile: ideal
overrides: {invocation: {attempts: 8, task_retries: 3, detect: 600ms}, container: {cold_start: 20ms}}
faults: %s
`

// randomFaults lists n faults, of all kinds, that begin within a time.
func randomFaults(n int, within time.Duration) string {
	r := rand.New(rand.NewPCG(2026, 1))
	var all []string
	for i := range n {
		worker := fmt.Sprintf("worker-%d", 1+r.IntN(3))
		kinds := []string{
			"kill: " + worker, "pause: " + worker, "partition: " + worker, "partition: " + worker + ", from: [gateway]",
			"partition: " + worker + ", from: [storage, worker-1]", "slow_link: " + worker + ", factor: 50", "stop_service: store",
			"stop_service: " + worker, "crash_function: \"light:work\"", "crash_function: \"light:gather\"",
		}
		what := kinds[i%len(kinds)] // Each comes about as often.
		if strings.Contains(what, "worker-1, from: [storage, worker-1]") {
			what = "partition: worker-1, from: [storage]"
		}
		all = append(all, fmt.Sprintf("{at: %dms, for: %dms, %s}", r.Int64N(within.Milliseconds()), 50+r.IntN(900), what))
	}
	return "[" + strings.Join(all, ", ") + "]"
}

// accounted checks that every invocation has ended exactly once, and returns
// how.
func accounted(t *testing.T, k *kept, sent int) map[engine.Outcome]int {
	t.Helper()
	outcomes, seen := map[engine.Outcome]int{}, map[int64]bool{}
	for _, i := range k.invocations {
		if seen[i.Number] {
			t.Errorf("invocation %d has ended twice", i.Number)
		}
		seen[i.Number] = true
		outcomes[i.Outcome]++
		if i.Outcome == engine.Completed && i.Tasks < 5 {
			t.Errorf("invocation %d has completed with %d tasks", i.Number, i.Tasks)
		}
	}
	if len(seen) != sent {
		t.Errorf("%d of %d invocations are accounted for", len(seen), sent)
	}
	return outcomes
}

// inWorld runs the first trial of a point, in a time that it must not need.
func inWorld(t *testing.T, w rundir.World, plan *scenarios.Plan, point int) *kept {
	t.Helper()
	k := &kept{}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := w.Run(ctx, plan.Trial(point, 0), k); err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(k.invocations, func(a, b record.Invocation) int { return int(a.Number - b.Number) })
	return k
}

// faultyEmulator is the back end local, where things are to go wrong: what it
// says about that is no error.
func faultyEmulator(t *testing.T, o local.Options) rundir.World {
	t.Helper()
	o.Warn = func(text string) { t.Log(text) }
	w, err := local.New(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// playAll plays what the engines of a run were told to fresh ones, and returns
// how many steps that were.
func playAll(t *testing.T, dir string, plan *scenarios.Plan, point int) (files, steps int) {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, replay.Directory, "*", "*", "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		file, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		r, err := replay.NewReader(file)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		trial := plan.Trial(point, 0)
		system, err := engine.NewSystem(trial.Workflows, trial.Cluster.Engine(), trial.Scheduler, trial.Profile.Rules())
		if err != nil {
			t.Fatal(err)
		}
		result, err := replay.Play(system, r)
		if err != nil {
			t.Errorf("%s: %v", filepath.Base(name), err)
		}
		files, steps = files+1, steps+result.Steps
		file.Close()
	}
	return files, steps
}

// Under a random schedule of faults of all kinds, all of 500 invocations end,
// and nearly all complete, in both worlds; nothing is left, and the inputs of
// all engines, those of nodes that were killed included, can be replayed.
func TestFiveHundredInvocationsUnderRandomFaults(t *testing.T) {
	const sent, rate = 500, 60
	plan := parse(t, fmt.Sprintf(faulty, rate, sent, randomFaults(24, 8*time.Second)))
	for point := range plan.Points {
		t.Run(plan.Points[point].Scheduler, func(t *testing.T) {
			simulated := accounted(t, inWorld(t, sim.World{}, plan, point), sent)
			dir := t.TempDir()
			before := runtime.NumGoroutine()
			temp := t.TempDir()
			t.Setenv("TMPDIR", temp)
			emulated := accounted(t, inWorld(t, faultyEmulator(t, local.Options{Record: dir}), plan, point), sent)
			t.Logf("simulated %v, emulated %v", simulated, emulated)
			if after := goroutines(before); after > before {
				stacks := make([]byte, 1<<20)
				t.Errorf("%d goroutines before, %d after\n%s", before, after, stacks[:runtime.Stack(stacks, true)])
			}
			if left, err := os.ReadDir(temp); err != nil || len(left) > 0 {
				t.Errorf("%d files are left, %v", len(left), err)
			}
			files, steps := playAll(t, dir, plan, point)
			if files < 5+1 || steps < sent {
				t.Errorf("%d files of inputs with %d steps", files, steps)
			}
			t.Logf("%d files of inputs, %d steps", files, steps)
			for world, outcomes := range map[string]map[engine.Outcome]int{"simulator": simulated, "emulator": emulated} {
				if outcomes[engine.Completed] < sent*95/100 && !raceDetector {
					t.Errorf("in the %s only %d of %d completed: %v", world, outcomes[engine.Completed], sent, outcomes)
				}
			}
		})
	}
}

// One fault of each kind, in the middle of a load that has time to recover: all
// complete, as they do in the simulator under the same schedule.
func TestEveryFaultIsSurvivedInBothWorlds(t *testing.T) {
	const sent, rate = 24, 60
	for _, test := range []struct{ name, faults string }{
		{"a worker is killed", "[{at: 100ms, kill: worker-1}]"},
		{"a worker is killed and comes back", "[{at: 100ms, kill: worker-2, for: 300ms}]"},
		{"a worker restarts before anyone notices", "[{at: 100ms, kill: worker-3, for: 50ms}]"},
		{"a worker stands still for a moment", "[{at: 100ms, pause: worker-1, for: 100ms}]"},
		{"a worker stands still for long", "[{at: 100ms, pause: worker-1, for: 1s}]"},
		{"a worker stands still for good", "[{at: 100ms, pause: worker-1}]"},
		{"a worker is killed that stands still", "[{at: 100ms, pause: worker-1, for: 2s}, {at: 400ms, kill: worker-1, for: 200ms}]"},
		{"a worker is cut off for a moment", "[{at: 100ms, partition: worker-1, for: 100ms}]"},
		{"a worker is cut off for long", "[{at: 100ms, partition: worker-1, for: 1s}]"},
		{"two workers cannot reach each other", "[{at: 100ms, partition: worker-1, from: [worker-2], for: 1s}]"},
		{"a worker cannot reach the store", "[{at: 100ms, partition: worker-1, from: [storage], for: 600ms}]"},
		{"a worker is killed that is cut off", "[{at: 80ms, partition: worker-1, for: 200ms}, {at: 150ms, kill: worker-1, for: 500ms}]"},
		{"a link is slow", "[{at: 100ms, slow_link: worker-1, factor: 200, for: 500ms}]"},
		{"the store's link is slow", "[{at: 100ms, slow_link: storage, factor: 100, for: 500ms}]"},
		{"the store stops for a moment", "[{at: 100ms, stop_service: store, for: 200ms}]"},
		{"a worker's memory is lost", "[{at: 100ms, stop_service: worker-1}, {at: 150ms, stop_service: worker-2}, {at: 200ms, stop_service: worker-3, for: 300ms}]"},
		{"a function crashes", "[{at: 100ms, crash_function: \"light:work\"}, {at: 200ms, crash_function: \"light:gather\"}, {at: 250ms, crash_function: \"light:work\"}]"},
	} {
		plan := parse(t, fmt.Sprintf(faulty, rate, sent, test.faults))
		for point := range plan.Points {
			t.Run(test.name+"/"+plan.Points[point].Scheduler, func(t *testing.T) {
				t.Parallel() // How long it takes does not matter.
				simulated := accounted(t, inWorld(t, sim.World{}, plan, point), sent)
				emulated := accounted(t, inWorld(t, faultyEmulator(t, local.Options{}), plan, point), sent)
				// Under the race detector peers may be silent for so long that they count
				// as lost, all of them.
				if simulated[engine.Completed] != sent || emulated[engine.Completed] != sent && !raceDetector {
					t.Errorf("simulated %v, emulated %v; want all completed", simulated, emulated)
				}
			})
		}
	}
}

// What cannot recover fails or times out, and nothing hangs, in both worlds.
func TestWhatCannotRecoverEndsInBothWorlds(t *testing.T) {
	const sent = 20
	for name, faults := range map[string]string{
		"the store stops for good": "[{at: 0s, stop_service: store}]",
		"there are no workers":     "[{at: 0s, kill: worker-1}, {at: 0s, kill: worker-2}, {at: 0s, kill: worker-3}]",
		"all workers are cut off":  "[{at: 0s, partition: worker-1}, {at: 0s, partition: worker-2}, {at: 0s, partition: worker-3}]",
	} {
		plan := parse(t, strings.Replace(fmt.Sprintf(faulty, 100, sent, faults), "timeout: 8s", "timeout: 2s", 1))
		for point := range plan.Points {
			t.Run(name+"/"+plan.Points[point].Scheduler, func(t *testing.T) {
				t.Parallel()
				simulated := accounted(t, inWorld(t, sim.World{}, plan, point), sent)
				emulated := accounted(t, inWorld(t, faultyEmulator(t, local.Options{}), plan, point), sent)
				if simulated[engine.Completed] != 0 || emulated[engine.Completed] != 0 {
					t.Errorf("simulated %v, emulated %v; want none completed", simulated, emulated)
				}
			})
		}
	}
}
