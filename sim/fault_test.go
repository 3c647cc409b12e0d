package sim_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/flowtwin/flowtwin/engine"
	"github.com/flowtwin/flowtwin/sim"
)

// accounted checks that every invocation ended exactly once, and returns how.
func accounted(t *testing.T, r *records, sent int) map[engine.Outcome]int {
	t.Helper()
	outcomes := map[engine.Outcome]int{}
	seen := map[int64]bool{}
	for _, i := range r.invocations {
		if seen[i.Number] {
			t.Fatalf("invocation %d ended twice", i.Number)
		}
		seen[i.Number] = true
		outcomes[i.Outcome]++
	}
	if len(seen) != sent {
		t.Fatalf("%d of %d invocations are accounted for", len(seen), sent)
	}
	return outcomes
}

const faulty = `
name: faults
workflows: [%s]
cluster: {workers: 3}
load: {arrivals: constant, rate: %s, limit: 60}
schedulers: [mastersp, faasflow, dataflower, workersp+spread+pipe, dataflower+hash+remote]
timeout: 60s
overrides: {invocation: {attempts: 6, task_retries: 2, detect: 500ms}}
faults: %s
`

// TestFaultsAreSurvived: one fault of each kind, in the middle of a load that
// has time to recover.
func TestFaultsAreSurvived(t *testing.T) {
	for _, test := range []struct{ name, faults string }{
		{"a worker is killed", "[{at: 10s, kill: worker-1}]"},
		{"a worker is killed and comes back", "[{at: 10s, kill: worker-2, for: 3s}]"},
		{"a worker restarts before anyone notices", "[{at: 10s, kill: worker-3, for: 100ms}]"},
		{"all workers are killed, one after the other", "[{at: 5s, kill: worker-1, for: 4s}, {at: 10s, kill: worker-2, for: 4s}, {at: 15s, kill: worker-3, for: 4s}]"},
		{"a worker stands still for a moment", "[{at: 10s, pause: worker-1, for: 200ms}]"},
		{"a worker stands still for long", "[{at: 10s, pause: worker-1, for: 5s}]"},
		{"a worker stands still for good", "[{at: 10s, pause: worker-1}]"},
		{"a worker is cut off for a moment", "[{at: 10s, partition: worker-1, for: 200ms}]"},
		{"a worker is cut off for long", "[{at: 10s, partition: worker-1, for: 5s}]"},
		{"two workers cannot reach each other", "[{at: 10s, partition: worker-1, from: [worker-2], for: 5s}]"},
		{"a worker cannot reach the store", "[{at: 10s, partition: worker-1, from: [storage], for: 5s}]"},
		{"a link is slow", "[{at: 10s, slow_link: worker-1, factor: 20, for: 5s}]"},
		{"the store's link is slow", "[{at: 10s, slow_link: storage, factor: 5, for: 5s}]"},
		{"the store stops for a moment", "[{at: 10s, stop_service: store, for: 300ms}]"},
		{"a worker's memory is lost", "[{at: 10s, stop_service: worker-1}, {at: 12s, stop_service: worker-2}, {at: 14s, stop_service: worker-3}]"},
		{"a function crashes", "[{at: 10s, crash_function: \"%[1]s:%[2]s\"}, {at: 12s, crash_function: \"%[1]s:%[2]s\"}]"},
	} {
		for _, use := range []struct{ workflow, function, rate string }{
			{"faasflow/wordcount", "count", "2/s"},
			{"faasflow/video", "transcode", "1/s"},
			{"faasflow/epigenomics", "map_00000005", "20/min"},
		} {
			workflow, faults := use.workflow, test.faults
			if strings.Contains(faults, "%") {
				faults = fmt.Sprintf(faults, workflow, use.function)
			}
			p := plan(t, fmt.Sprintf(faulty, workflow, use.rate, faults))
			for point := range p.Points {
				t.Run(test.name+"/"+workflow+"/"+p.Points[point].Scheduler, func(t *testing.T) {
					outcomes := accounted(t, simulate(t, p, point), 60)
					if outcomes[engine.Completed] < 55 {
						t.Errorf("only %d of 60 completed: %v", outcomes[engine.Completed], outcomes)
					}
				})
			}
		}
	}
}

// TestFaultsMayOverlap: of two faults of one kind, the node recovers from the one
// that ends last. Until then nothing starts there.
func TestFaultsMayOverlap(t *testing.T) {
	for _, kind := range []string{"kill", "pause"} {
		for _, faults := range []string{
			"[{at: 5s, for: 4s, %[1]s: worker-1}, {at: 7s, for: 8s, %[1]s: worker-1}]",
			"[{at: 5s, for: 10s, %[1]s: worker-1}, {at: 7s, for: 2s, %[1]s: worker-1}]",
		} {
			p := plan(t, fmt.Sprintf(faulty, "chain.yaml", "2/s", fmt.Sprintf(faults, kind)))
			for point := range p.Points {
				r := simulate(t, p, point)
				accounted(t, r, 60)
				later := 0
				for _, task := range r.tasks {
					if task.Node != p.Trial(point, 0).Cluster.Engine().Workers[0] {
						continue
					}
					if task.Started > 5*engine.Second && task.Started < 15*engine.Second {
						t.Errorf("%s, %s: a task starts at %d ns on worker-1", kind, p.Points[point].Scheduler, task.Started)
					}
					if task.Started >= 15*engine.Second {
						later++
					}
				}
				if later == 0 {
					t.Errorf("%s, %s: nothing runs on worker-1 after 15 s", kind, p.Points[point].Scheduler)
				}
			}
		}
	}
}

// TestALostStoreEndsEveryInvocation: nothing can complete, and nothing hangs.
func TestALostStoreEndsEveryInvocation(t *testing.T) {
	p := plan(t, fmt.Sprintf(faulty, "faasflow/wordcount", "2/s", "[{at: 10s, stop_service: store}]"))
	for point := range p.Points {
		outcomes := accounted(t, simulate(t, p, point), 60)
		if outcomes[engine.Completed] > 22 || outcomes[engine.Failed]+outcomes[engine.TimedOut] == 0 {
			t.Errorf("%s: %v", p.Points[point].Scheduler, outcomes)
		}
	}
}

// TestWithoutWorkersEveryInvocationFails, also those that arrive later.
func TestWithoutWorkersEveryInvocationFails(t *testing.T) {
	p := plan(t, fmt.Sprintf(faulty, "faasflow/wordcount", "2/s", "[{at: 0s, kill: worker-1}, {at: 0s, kill: worker-2}, {at: 0s, kill: worker-3}]"))
	for point := range p.Points {
		if outcomes := accounted(t, simulate(t, p, point), 60); outcomes[engine.Failed] != 60 {
			t.Errorf("%s: %v", p.Points[point].Scheduler, outcomes)
		}
	}
}

// TestRandomFaultsLoseNothing: whatever goes wrong and when, every invocation
// ends exactly once.
func TestRandomFaultsLoseNothing(t *testing.T) {
	rounds := uint64(60)
	if testing.Short() {
		rounds = 10
	}
	for seed := range rounds {
		r := rand.New(rand.NewPCG(seed, 1))
		var faults []string
		for range 1 + r.IntN(12) {
			worker := fmt.Sprintf("worker-%d", 1+r.IntN(3))
			what := []string{
				"kill: " + worker, "pause: " + worker, "partition: " + worker,
				"partition: " + worker + ", from: [gateway]", "partition: " + worker + ", from: [storage, worker-1]",
				"slow_link: " + worker, "stop_service: store", "stop_service: " + worker, "crash_function: \"faasflow/wordcount:count\"",
			}[r.IntN(9)]
			faults = append(faults, fmt.Sprintf("{at: %dms, for: %dms, %s}", r.IntN(30_000), 1+r.IntN(4000), what))
		}
		p := plan(t, fmt.Sprintf(faulty, "faasflow/wordcount", "2/s", "["+strings.Join(faults, ", ")+"]"))
		for point := range p.Points {
			outcomes := accounted(t, simulate(t, p, point), 60)
			if outcomes[engine.Completed] == 0 {
				t.Errorf("seed %d, %s: nothing completed: %v\n%s", seed, p.Points[point].Scheduler, outcomes, strings.Join(faults, "\n"))
			}
		}
	}
}

func TestALoadThatWouldNeverEndIsAnError(t *testing.T) {
	p := plan(t, `
name: forever
workflows: [nothing.yaml]
load: {clients: 1, duration: 1s}
schedulers: [mastersp]
overrides: {network: {message: 0s}, container: {cold_start: 0s}}
`)
	err := (sim.World{}).Run(context.Background(), p.Trial(0, 0), &records{})
	if err == nil || !strings.Contains(err.Error(), "takes no time at all") {
		t.Errorf("error %v", err)
	}
}
