package sim_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/flowtwin/flowtwin/benchmarks"
	"github.com/flowtwin/flowtwin/engine/workflow"
	"github.com/flowtwin/flowtwin/sim"
)

// BenchmarkGenome takes a genome workflow of a million functions from the
// generator to the result of one invocation, under WorkerSP with placement by
// hash. The baseline is one bare pass over the finished graph in topological
// order.
func BenchmarkGenome(b *testing.B) {
	const functions = 1_000_000
	b.Run(fmt.Sprintf("model/functions=%d", functions), func(b *testing.B) {
		b.ReportAllocs()
		for range b.N {
			p := plan(b, fmt.Sprintf(`
name: genome
workflows: [{generate: genome, functions: %d}]
load: {clients: 1, limit: 1}
schedulers: ["workersp+hash+remote"]
`, functions))
			r := &rows{}
			if err := (sim.World{}).Run(context.Background(), p.Trial(0, 0), r); err != nil {
				b.Fatal(err)
			}
			if r.tasks != functions {
				b.Fatalf("%d function instances ran", r.tasks)
			}
		}
	})
	b.Run(fmt.Sprintf("topological/functions=%d", functions), func(b *testing.B) {
		w, err := benchmarks.Generate("genome", functions)
		if err != nil {
			b.Fatal(err)
		}
		b.ReportAllocs()
		b.ResetTimer()
		for range b.N {
			if n := topologicalPass(w); n != functions {
				b.Fatalf("%d functions were reached", n)
			}
		}
	})
}

// topologicalPass visits every function once all its predecessors have been
// visited, and returns how many there were.
func topologicalPass(w *workflow.Workflow) int {
	left := make([]int32, len(w.Functions))
	copy(left, w.Indegree)
	ready := append(make([]workflow.FunctionID, 0, len(w.Functions)), w.Starts...)
	for i := 0; i < len(ready); i++ {
		for _, next := range w.Functions[ready[i]].Next {
			if left[next]--; left[next] == 0 {
				ready = append(ready, next)
			}
		}
	}
	return len(ready)
}
