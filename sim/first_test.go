package sim

import (
	"context"
	"fmt"
	"testing"

	"github.com/flowtwin/flowtwin/engine/schedulers"
	"github.com/flowtwin/flowtwin/engine/workflow"
	"github.com/flowtwin/flowtwin/results/record"
	"github.com/flowtwin/flowtwin/scenarios"
	"github.com/flowtwin/flowtwin/scenarios/load"
	"github.com/flowtwin/flowtwin/scenarios/profile"
	"github.com/flowtwin/flowtwin/scenarios/units"
)

func wordcount(t testing.TB) *workflow.Workflow {
	w, err := workflow.New("wordcount", []workflow.Function{
		{Name: "start", Compute: workflow.Constant(20e6), Outputs: []workflow.Output{{Name: "file", List: true, Items: workflow.Constant(8), Size: workflow.ByItem(142404, 465170, 449484, 549793, 609908, 141702, 600032, 424956), PostedAt: 1}}},
		{Name: "count", Compute: workflow.Constant(120e6), Foreach: &workflow.OutputRef{}, Inputs: []workflow.Input{{From: 0}}, Outputs: []workflow.Output{{Name: "words", Size: workflow.ByItem(47679, 107906, 111846, 77937, 103875, 44669, 123962, 119118), PostedAt: 1}}},
		{Name: "merge", Compute: workflow.Constant(50e6), Merge: true, Inputs: []workflow.Input{{From: 1}}, Outputs: []workflow.Output{{Name: "result", Size: workflow.Constant(325053), PostedAt: 1}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func ideal() *profile.Profile {
	p := &profile.Profile{Name: "ideal"}
	p.Network.Message = 100e3
	p.Network.Link = 125e6
	p.Store.Get, p.Store.Put, p.Store.Missing = 1e6, 1e6, 1e6
	p.Memory.Bandwidth = 1e9
	p.Container.ColdStart.Distribution = workflow.Constant(100e6)
	p.Container.KeepAlive = 600e9
	p.Container.Memory = 256 << 20
	p.Invocation.Attempts = 3
	return p
}

type collect struct{ all []record.Invocation }

func (c *collect) Invocation(i *record.Invocation) { c.all = append(c.all, *i) }
func (c *collect) Task(*record.Task)               {}
func (c *collect) WantsTasks() bool                { return false }

type count struct{ n, tasks int64 }

func (c *count) Invocation(i *record.Invocation) { c.n++; c.tasks += int64(i.Tasks) }
func (c *count) Task(*record.Task)               {}
func (c *count) WantsTasks() bool                { return false }

func trial(t testing.TB, scheduler string) *scenarios.Trial {
	r := schedulers.Builtin()
	p, err := r.Preset(scheduler)
	if err != nil {
		t.Fatal(err)
	}
	s, err := r.Make(p.Control, p.Placement, p.Data)
	if err != nil {
		t.Fatal(err)
	}
	m := scenarios.Machine{Cores: 8, Memory: 32 << 30, Link: units.Bandwidth(125e6)}
	return &scenarios.Trial{
		Seed: 1, Workflows: []*workflow.Workflow{wordcount(t)},
		Loads:     []load.Plan{{Process: load.Process{Spacing: load.Poisson, Steps: []load.Step{{Rate: 1}}}, Until: 300e9}},
		Cluster:   scenarios.Cluster{Workers: []scenarios.Machine{m, m, m}, Gateway: m, Storage: m},
		Scheduler: s, Profile: ideal(),
	}
}

func TestFirst(t *testing.T) {
	for _, s := range []string{"mastersp", "faasflow"} {
		c := &collect{}
		if err := (World{}).Run(context.Background(), trial(t, s), c); err != nil {
			t.Fatal(err)
		}
		fmt.Println(s, len(c.all))
		for i, r := range c.all {
			if i < 3 || i > len(c.all)-3 {
				fmt.Printf("%+v lat %v\n", r, r.Latency())
			}
		}
	}
}

func BenchmarkModel(b *testing.B) {
	for _, s := range []string{"mastersp", "faasflow"} {
		b.Run(s, func(b *testing.B) {
			tr := trial(b, s)
			tr.Loads[0].Until = 1 << 60
			tr.Loads[0].Process.Steps[0].Rate = 10
			tr.Loads[0].Limit = int64(b.N)
			c := &count{}
			b.ReportAllocs()
			b.ResetTimer()
			if err := (World{}).Run(context.Background(), tr, c); err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(float64(c.tasks)/b.Elapsed().Seconds()/1e6, "Minstances/s")
		})
	}
}
