package scenarios_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/flowtwin/flowtwin/engine/draw"
	"github.com/flowtwin/flowtwin/scenarios"
	"github.com/flowtwin/flowtwin/scenarios/yamlfile"
)

// Whatever is in a scenario file, it is either refused with reasons that have
// a place, or makes a plan whose points are complete, soon.
func FuzzParse(f *testing.F) {
	for _, name := range scenarios.ShippedNames() {
		text, _ := scenarios.Shipped(name)
		f.Add(string(text), "trials=2")
	}
	f.Add(with("cluster: {workers: [{count: 2, cores: 0.5}], host_cores: 1}", "overrides: {store: {get: 2ms}}", "axes: {load.limit: [1, 2], s: {a: {seed: 2}, b: {}}}"), "load.limit=5")
	f.Add(with("load: {arrivals: constant, rate: 1/h, limit: 3, burst: {at: 0s, for: 1ns, rate: 0/s, every: 2ns}}"), "load.burst.every=1ns")
	f.Add(with("load: {arrivals: trace, trace: trace.csv}", "workflows: [{use: chain.yaml, name: faasflow/video}]", "profile: slow.yaml"), "timeout=0")
	f.Add(with("faults: [{at: 1s, partition: worker-1, from: [gateway]}, {at: 2s, crash_function: 'faasflow/wordcount:count'}]", "figures: [{kind: bars, metric: cost}]"), "tasks=true")
	f.Add(with("schedulers: [{control: workersp, placement: explicit, data: remote, table: {chain: {a: 1, b: 2}}}, {preset: faasflow, partition: {headroom: 1}}]", "workflows: [chain.yaml]"), "")
	f.Fuzz(func(t *testing.T, text, setting string) {
		start := time.Now()
		var settings []string
		if setting != "" {
			settings = append(settings, setting)
		}
		p, err := parse(text, settings...)
		if took := time.Since(start); took > 20*time.Second {
			t.Errorf("it took %v", took)
		}
		if err != nil {
			var errs yamlfile.Errors
			if errors.As(err, &errs) {
				for _, e := range errs {
					if e.File == "" || e.Message == "" {
						t.Errorf("an error without place or message: %+v", e)
					}
				}
			} else if !strings.HasPrefix(err.Error(), "s.yaml: ") && !strings.HasPrefix(err.Error(), "s.yaml:") && !strings.HasPrefix(err.Error(), "--set ") {
				t.Errorf("an error without a place: %v", err)
			}
			return
		}
		if len(p.Points) == 0 {
			t.Error("there are no points")
		}
		_ = fmt.Sprint(scenarios.Look(p), p.Hash())
		for i := range p.Points {
			trial := p.Trial(i, 0)
			if trial.Scheduler.Control == nil || trial.Profile == nil || len(trial.Cluster.Workers) == 0 || len(trial.Workflows) != len(trial.Loads) || len(trial.Workflows) == 0 {
				t.Fatalf("point %d is not complete: %+v", i, trial)
			}
			for w := range trial.Loads {
				if trial.Loads[w].Clients > 0 {
					continue
				}
				arrivals := trial.Loads[w].Arrivals(draw.New(trial.Seed), uint64(w))
				last := int64(0)
				for range 100 {
					at, ok := arrivals.Next()
					if !ok {
						break
					}
					if at < last {
						t.Fatalf("an arrival at %d ns after one at %d ns", at, last)
					}
					last = at
				}
			}
			if i == 100 {
				return
			}
		}
	})
}
