package docker

import (
	"context"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/flowtwin/flowtwin/emu/docker/daemon/daemontest"
	"github.com/flowtwin/flowtwin/emu/docker/images/imagestest"
	"github.com/flowtwin/flowtwin/emu/docker/sweep"
	"github.com/flowtwin/flowtwin/emu/replay"
	"github.com/flowtwin/flowtwin/engine"
	"github.com/flowtwin/flowtwin/scenarios"
)

// busy has lists, items, gathering and a switch, and computes for a moment. Its
// containers are few: engines start one for each task that waits after a fault, and
// one machine that plays a cluster takes its time to start hundreds.
const busy = `
name: busy
defaults: {max_containers: 2}
functions:
  split: {compute: 5ms, global_inputs: [20kB], outputs: {parts: {items: 2, size: 50kB}}}
  work: {foreach: split.parts, inputs: [split.parts], compute: {exponential: 50ms}, outputs: {done: 50kB}}
  gather: {merge: true, inputs: [work.done], compute: 5ms, outputs: {all: 20kB}}
  choose: {after: [gather], inputs: [gather.all], switch: [{to: [left], probability: 50%}, {to: [right], probability: 50%}]}
  left: {compute: 10ms, inputs: [gather.all], outputs: {result: 100}}
  right: {compute: 5ms, inputs: [gather.all], outputs: {result: 200}}
`

const faulty = `
name: faulty
workflows: [busy.yaml]
cluster: {workers: 3, link: 100MB/s}
load: {arrivals: poisson, rate: 4/s, limit: 60}
schedulers: [mastersp, faasflow, dataflower]
seed: 3
timeout: 45s
profile: ideal
overrides: {invocation: {attempts: 8, task_retries: 3, detect: 3s}}
faults: %s
`

// randomFaults lists faults of all kinds, that begin within a time.
func randomFaults(n int, within time.Duration, function string) string {
	r := rand.New(rand.NewPCG(2026, 11))
	var all []string
	for i := range n {
		worker := fmt.Sprintf("worker-%d", 1+r.IntN(3))
		kinds := []string{
			"kill: " + worker, "crash_function: \"" + function + "\"", "pause: " + worker, "stop_service: store", "partition: " + worker,
			"slow_link: " + worker + ", factor: 20", "stop_service: " + worker, "partition: " + worker + ", from: [storage]",
			"crash_function: \"" + function + "\"", "partition: " + worker + ", from: [gateway]",
		}
		all = append(all, fmt.Sprintf("{at: %dms, for: %dms, %s}", r.Int64N(within.Milliseconds()), 200+r.IntN(2000), kinds[i%len(kinds)]))
	}
	return "[" + strings.Join(all, ", ") + "]"
}

// Real containers are killed, made to stand still, cut off and slowed down, by a
// random schedule: every invocation ends, nearly all complete, what the engines
// were told can be replayed, and of the trials nothing is left: no container, no
// key, no topic, no database; nor of the cluster, in the end.
func TestOnEngineFaults(t *testing.T) {
	docker, record := daemontest.Connect(t), t.TempDir()
	w, err := New(t.Context(), Options{
		Compute: "sleep", Images: imagestest.Build(t, docker), NoPull: true, Record: record, Warn: func(text string) { t.Log(text) },
	})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	plan := planOf(t, fmt.Sprintf(faulty, randomFaults(10, 13*time.Second, "busy:work")))
	for point := range plan.Points {
		t.Run(plan.Points[point].Scheduler, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
			defer cancel()
			began, k := time.Now(), &kept{}
			if err := w.Run(ctx, plan.Trial(point, 0), k); err != nil {
				t.Fatal(err)
			}
			outcomes, seen := map[engine.Outcome]int{}, map[int64]bool{}
			for _, i := range k.invocations {
				seen[i.Number] = true
				outcomes[i.Outcome]++
			}
			t.Logf("%v after %v", outcomes, time.Since(began).Round(time.Millisecond))
			if len(k.invocations) != 60 || len(seen) != 60 || outcomes[engine.Completed] < 54 { // A machine that others keep busy times some out.
				t.Errorf("%d records of %d invocations, of 60: %v", len(k.invocations), len(seen), outcomes)
			}
		})
	}
	t.Run("the engines do the same again", func(t *testing.T) { replayed(t, plan, record) })
	t.Run("nothing is left in the services", func(t *testing.T) { servicesAreEmpty(t, w, planOf(t, carrying)) })
	t.Run("nothing is left of the cluster", func(t *testing.T) {
		id := w.cluster.id
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		for began := time.Now(); ; time.Sleep(100 * time.Millisecond) {
			left, err := sweep.Find(t.Context(), docker, sweep.Which{Cluster: id})
			if err == nil && len(left) == 0 {
				break
			}
			if err != nil || time.Since(began) > 10*time.Second { // An engine may be at it for a while.
				t.Fatalf("there are still %v, %v", left, err)
			}
		}
	})
}

// replayed plays what the engines were told to fresh ones.
func replayed(t *testing.T, plan *scenarios.Plan, dir string) {
	files, steps := 0, 0
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		file, err := os.Open(path)
		if err != nil {
			return err
		}
		defer file.Close()
		r, err := replay.NewReader(file)
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		if r.Head.Point >= len(plan.Points) {
			return nil
		}
		one := plan.Trial(r.Head.Point, 0)
		system, err := engine.NewSystem(one.Workflows, one.Cluster.Engine(), one.Scheduler, one.Profile.Rules())
		if err != nil {
			return err
		}
		result, err := replay.Play(system, r)
		files, steps = files+1, steps+result.Steps
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		return nil
	})
	if err != nil || files < 3*5 || steps < 3*60 {
		t.Errorf("%d files with %d steps, %v", files, steps, err)
	}
	t.Logf("%d files with %d steps", files, steps)
}
