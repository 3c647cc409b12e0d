package sim_test

import (
	"context"
	"fmt"
	"io"
	"testing"

	"github.com/flowtwin/flowtwin/engine"
	"github.com/flowtwin/flowtwin/results/record"
	"github.com/flowtwin/flowtwin/scenarios"
	"github.com/flowtwin/flowtwin/sim"
)

// rows writes a row for each invocation, as a run does, and counts function
// instances.
type rows struct {
	row   []byte
	tasks int64
	ended engine.Time
}

func (r *rows) Invocation(i *record.Invocation) {
	r.row = i.AppendRow(append(r.row[:0], "0,0,scheduler,faasflow/wordcount,"...))
	io.Discard.Write(r.row)
	r.tasks += int64(i.Tasks)
	r.ended = i.Ended
}
func (r *rows) Task(*record.Task) {}
func (r *rows) WantsTasks() bool  { return false }

// BenchmarkModel runs the full model: faasflow/wordcount with the profile
// ideal and a row for each invocation. One operation is one invocation, of ten
// function instances; invocations/s counts function instances. Memory that grew with
// finished invocations would show in B/op.
//
// With mesh, the network is solved as a whole by max-min fairness, even though
// one link limits all flows here. The baseline, kernel, is the bare event queue
// moving as many events as the model of mastersp does for an invocation.
func BenchmarkModel(b *testing.B) {
	for _, scheduler := range []string{"mastersp", "faasflow", "dataflower"} {
		for _, mesh := range []bool{false, true} {
			name := scheduler
			if mesh {
				name += "-mesh"
			}
			b.Run(name, func(b *testing.B) {
				trial := modelPlan(b, scheduler, b.N).Trial(0, 0)
				r := &rows{}
				b.ReportAllocs()
				b.ResetTimer()
				if err := (sim.World{Mesh: mesh}).Run(context.Background(), trial, r); err != nil {
					b.Fatal(err)
				}
				b.ReportMetric(float64(r.tasks)/b.Elapsed().Seconds(), "invocations/s")
			})
		}
	}
	b.Run("kernel", func(b *testing.B) {
		const invocations = 1000
		r := &rows{}
		use, err := sim.MeasureQueue(modelPlan(b, "mastersp", invocations).Trial(0, 0), r)
		if err != nil {
			b.Fatal(err)
		}
		b.ReportAllocs()
		b.ResetTimer()
		use.Move(b.N * use.Events / invocations)
		b.ReportMetric(float64(b.N)*float64(r.tasks)/invocations/b.Elapsed().Seconds(), "invocations/s")
	})
}

// modelPlan is a load that the cluster can carry.
func modelPlan(b *testing.B, scheduler string, invocations int) *scenarios.Plan {
	return plan(b, fmt.Sprintf(`
name: model
workflows: [faasflow/wordcount]
cluster: {workers: 3}
load: {arrivals: poisson, rate: 4/s, limit: %d}
schedulers: [%s]
`, invocations, scheduler))
}
