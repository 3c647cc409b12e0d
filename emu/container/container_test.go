package container_test

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/flowtwin/flowtwin/emu/container"
	"github.com/flowtwin/flowtwin/emu/local"
	"github.com/flowtwin/flowtwin/engine"
	"github.com/flowtwin/flowtwin/results/record"
	"github.com/flowtwin/flowtwin/scenarios"
)

// The test binary is the function image: a node that starts it sets its
// environment, and then it is a container.
func TestMain(m *testing.M) {
	if os.Getenv(container.EnvContainer) == "" {
		os.Exit(m.Run())
	}
	if err := container.Serve(context.Background(), builtin, nil); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func builtin(b *scenarios.Bundle) (*scenarios.Trial, error) { return b.Trial(nil) }

// self starts the test binary.
func self(t testing.TB) []string {
	t.Helper()
	name, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return []string{name}
}

// mixed has all that engines know: lists of random length, items, gathering, a
// switch, inputs from outside, outputs that are posted early.
const mixed = `
name: mixed
functions:
  start:
    compute: 3ms
    global_inputs: [20kB]
    outputs:
      parts: {items: {uniform: [2, 4]}, size: {lognormal: {mean: 30kB, sd: 20kB}}}
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

const scenario = `
name: both
workflows: [mixed.yaml]
cluster: {workers: 2, storage: {cap: 50MB/s}}
load: {clients: 1, limit: 3}
schedulers: [mastersp, faasflow, dataflower]
seed: 11
profile: ideal
`

func parse(t testing.TB, text string) *scenarios.Plan {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "mixed.yaml"), []byte(mixed), 0o644); err != nil {
		t.Fatal(err)
	}
	plan, err := scenarios.Parse("test.yaml", []byte(text), dir, scenarios.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return plan
}

type kept []record.Invocation

func (k *kept) Invocation(i *record.Invocation) { *k = append(*k, *i) }
func (k *kept) Task(*record.Task)               {}
func (k *kept) WantsTasks() bool                { return false }

// run runs a trial on the back end local, and returns what it was told that was
// not to be.
func run(t *testing.T, o local.Options, trial *scenarios.Trial) (kept, []string) {
	t.Helper()
	var warnings []string
	o.Warn = func(text string) { warnings = append(warnings, text) }
	w, err := local.New(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var k kept
	if err := w.Run(ctx, trial, &k); err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(k, func(a, b record.Invocation) int { return cmp.Compare(a.Number, b.Number) })
	return k, warnings
}

// facts are what does not depend on time.
type facts struct {
	Number                                             int64
	Outcome                                            engine.Outcome
	Attempts, Tasks, Messages                          int
	RemoteRead, RemoteWritten, LocalRead, LocalWritten int64
}

func factsOf(i *record.Invocation) facts {
	return facts{i.Number, i.Outcome, i.Attempts, i.Tasks, i.Messages, i.RemoteRead, i.RemoteWritten, i.LocalRead, i.LocalWritten}
}

// A function in a process of its own reads, writes and posts what it does as a
// goroutine, to the byte and to the message.
func TestProcessesMeetWhatGoroutinesMeet(t *testing.T) {
	plan := parse(t, scenario)
	for point := range plan.Points {
		t.Run(plan.Points[point].Scheduler, func(t *testing.T) {
			want, warned := run(t, local.Options{}, plan.Trial(point, 0))
			got, warnedToo := run(t, local.Options{Processes: self(t)}, plan.Trial(point, 0))
			if all := append(warned, warnedToo...); len(all) > 0 {
				t.Error(all)
			}
			if len(want) != 3 || len(got) != 3 {
				t.Fatalf("%d invocations with goroutines, %d with processes, want 3", len(want), len(got))
			}
			for n := range want {
				if factsOf(&got[n]) != factsOf(&want[n]) {
					t.Errorf("processes %+v\ngoroutines %+v", factsOf(&got[n]), factsOf(&want[n]))
				}
			}
		})
	}
	nothingLeft(t)
}

// children are the processes that this one has started and that still are.
func children(t *testing.T) []string {
	t.Helper()
	if runtime.GOOS != "linux" {
		return nil
	}
	tasks, err := filepath.Glob("/proc/self/task/*/children")
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, name := range tasks {
		text, _ := os.ReadFile(name) // A thread may have ended.
		all = append(all, strings.Fields(string(text))...)
	}
	return all
}

// nothingLeft checks that no process, and no goroutine of ours, is left.
func nothingLeft(t *testing.T) {
	t.Helper()
	var stacks string
	for until := time.Now().Add(5 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		buffer := make([]byte, 1<<20)
		stacks = string(buffer[:runtime.Stack(buffer, true)])
		ours := false
		for _, one := range strings.Split(stacks, "\n\n")[1:] { // The first is this one.
			ours = ours || strings.Contains(one, "flowtwin/emu/") && !strings.Contains(one, "testing.tRunner")
		}
		left := children(t)
		if !ours && len(left) == 0 {
			return
		}
		if time.Now().After(until) {
			t.Fatalf("processes %v are left, and goroutines:\n%s", left, stacks)
		}
	}
}

// What limits goroutines limits processes: all they send to the storage node
// passes its cap, at their node.
func TestProcessesAreLimitedToo(t *testing.T) {
	dir := t.TempDir()
	const heavy = "name: heavy\nfunctions: {a: {compute: 0s, outputs: {x: 2MB}}, b: {inputs: [a.x], compute: 0s, outputs: {y: 10}}}\n"
	if err := os.WriteFile(filepath.Join(dir, "heavy.yaml"), []byte(heavy), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, scheduler := range []string{"mastersp", "dataflower+hash+pipe"} {
		plan, err := scenarios.Parse("test.yaml", []byte(`
name: limited
workflows: [heavy.yaml]
cluster: {workers: 2, storage: {cap: 5MB/s}}
load: {clients: 1, limit: 1}
schedulers: [`+scheduler+`]
profile: ideal
`), dir, scenarios.Options{})
		if err != nil {
			t.Fatal(err)
		}
		k, warned := run(t, local.Options{Processes: self(t)}, plan.Trial(0, 0))
		// 2 MB of payload at 5 MB/s on the wire, there and back (where it is
		// streamed, both at the same time).
		rate := 5e6 * scenarios.PayloadShare // bytes of payload per second
		least := time.Duration(2e6 / rate * float64(time.Second))
		if took := time.Duration(k[0].Latency()); took < least || len(warned) > 0 {
			t.Errorf("%s: it took %v, at least %v were to be expected; %v", scheduler, took, least, warned)
		}
	}
}

// Under faults of all kinds, the functions' processes crash, stand still behind
// closed gates and are killed with their nodes, and every invocation ends.
func TestProcessesSurviveFaults(t *testing.T) {
	const faults = `
timeout: 8s
overrides: {invocation: {attempts: 8, task_retries: 3, detect: 1s}}
faults:
  - {at: 200ms, crash_function: "mixed:work"}
  - {at: 300ms, kill: worker-1, for: 300ms}
  - {at: 500ms, crash_function: "mixed:work"}
  - {at: 800ms, pause: worker-2, for: 1500ms}
  - {at: 1s, stop_service: worker-1}
  - {at: 1300ms, stop_service: store, for: 400ms}
  - {at: 2500ms, kill: worker-2, for: 100ms}
`
	plan := parse(t, strings.Replace(scenario, "load: {clients: 1, limit: 3}", "load: {arrivals: constant, rate: 8/s, limit: 20}", 1)+faults)
	for point := range plan.Points {
		t.Run(plan.Points[point].Scheduler, func(t *testing.T) {
			k, warned := run(t, local.Options{Processes: self(t)}, plan.Trial(point, 0))
			t.Log(warned)
			completed := 0
			for n, i := range k {
				if i.Number != int64(n) {
					t.Errorf("invocation %d is recorded as number %d", n, i.Number)
				}
				if i.Outcome == engine.Completed {
					completed++
				}
			}
			if len(k) != 20 || completed < 19 {
				t.Errorf("%d of 20 ended, %d completed", len(k), completed)
			}
		})
	}
	nothingLeft(t)
}
