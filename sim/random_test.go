package sim_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/flowtwin/flowtwin/engine"
	"github.com/flowtwin/flowtwin/engine/enginetest"
	"github.com/flowtwin/flowtwin/engine/workflow"
	"github.com/flowtwin/flowtwin/sim"
)

// randomWorkflow makes a workflow of all that workflows can have, whose outputs
// go all ways that there are.
func randomWorkflow(t *testing.T, r *rand.Rand) *workflow.Workflow {
	t.Helper()
	w, err := enginetest.RandomWorkflow("random", 1+r.IntN(20), r.IntN)
	if err != nil {
		t.Fatal(err)
	}
	for f := range w.Functions {
		f := &w.Functions[f]
		if f.Kind != workflow.Task {
			continue
		}
		f.Compute, f.CPU = workflow.Constant(float64(r.IntN(100))*float64(ms)), float64(r.IntN(3))/2
		for o := range f.Outputs {
			f.Outputs[o].Size = workflow.Constant([]float64{0, 1000, 100 * KB, 3 * MB}[r.IntN(4)])
			f.Outputs[o].PostedAt = r.Float64()
			if f.Outputs[o].List {
				f.Outputs[o].Items = workflow.Constant(float64(r.IntN(4)))
			}
		}
	}
	return w
}

// randomPlatform makes overrides, with quirks on and off.
func randomPlatform(r *rand.Rand) string {
	one := func(values ...string) string { return values[r.IntN(len(values))] }
	yes := func() string { return one("false", "true") }
	return fmt.Sprintf(`
  engine: {event: %s, receive: %s, send: %s}
  memory: {lifetime: %s, get: %s}
  broker: {chunk: %s, inline: %s, append: %s, get: %s, early_start: %s, fifo_unit: %s, consumer_setup: %s}
  disk: {get: %s}
  pressure: {enabled: %s, rate: 20MB/s}
  container: {keep_alive: %s, start: %s, cleanup: %s, notify: %s, egress: %s, cpu_period: %s}
  store: {servers: %s, busy: 1ms}
  couchdb: {one_document_per_request: %s, timing_documents: %s, list_documents: %s, log_documents: %s}
  mastersp: {probe_all_workers: %s}
  gateway: {placement_query: %s, request_document: %s, missing_global_inputs: %s}
  dispatch: {tick: %s, match_tick: %s, count_at_end: %s, foreach_race: %s}
  pool: {cap_off_by_one: %s, bind_cold_start: %s}
  invocation: {attempts: 6, task_retries: 6, detect: 500ms}`,
		one("0", "200us"), one("0", "100us"), one("0", "300us"),
		one("0", "1ms", "300ms"), one("0", "1ms"),
		one("0", "64KiB", "256KiB"), one("0", "16KiB"), one("0", "1ms"), one("0", "1ms"), yes(), yes(), one("0", "2ms"),
		one("0", "1ms"), yes(),
		one("0", "50ms", "10s"), one("0", "1ms"), one("0", "1ms", "50ms"), one("0", "1ms"), one("unlimited", "40MB/s"), one("0", "100ms"),
		one("0", "1", "4"), yes(), yes(), yes(), yes(), yes(), yes(), yes(), yes(),
		one("0", "5ms"), one("0", "500us"), yes(), yes(), yes(), yes())
}

// TestRandomWorkflowsUnderEveryPair: whatever the workflow, the platform and the
// load, every invocation completes at the first attempt under each pair of control
// and data; and if workers and containers fail, each ends exactly once. With the
// tag invariants the state of every engine is looked through after each event.
func TestRandomWorkflowsUnderEveryPair(t *testing.T) {
	rounds := uint64(100)
	if testing.Short() {
		rounds = 10
	}
	const sent = 8
	for seed := range rounds {
		r := rand.New(rand.NewPCG(seed, 2))
		w := randomWorkflow(t, r)
		faults := "[]"
		if seed%2 == 1 {
			var all []string
			for range 1 + r.IntN(4) {
				what := []string{"kill: worker-2", "pause: worker-1", "partition: worker-3", "stop_service: worker-1", "stop_service: store"}[r.IntN(5)]
				all = append(all, fmt.Sprintf("{at: %dms, for: %dms, %s}", r.IntN(2000), 1+r.IntN(1000), what))
			}
			faults = "[" + strings.Join(all, ", ") + "]"
		}
		p := plan(t, fmt.Sprintf("name: random\nworkflows: [chain.yaml]\ncluster: {workers: 3, cores: 2}\nload: {arrivals: poisson, rate: 5/s, limit: %d}\nseed: %d\nschedulers: %s\ntimeout: 60s\nfaults: %s\noverrides:%s\n",
			sent, seed, allPairs("spread"), faults, randomPlatform(r)))
		for point := range p.Points {
			t.Run(fmt.Sprintf("%d/%s", seed, p.Points[point].Scheduler), func(t *testing.T) {
				trial := p.Trial(point, 0)
				trial.Workflows = []*workflow.Workflow{w}
				r := &records{}
				if err := (sim.World{}).Run(context.Background(), trial, r); err != nil {
					t.Fatal(err)
				}
				outcomes := accounted(t, r, sent)
				for i := range r.invocations {
					checkRecord(t, &r.invocations[i])
				}
				if faults == "[]" && outcomes[engine.Completed] != sent {
					t.Errorf("not all completed: %v", outcomes)
				}
			})
		}
	}
}
