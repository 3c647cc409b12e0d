package placement

import (
	"fmt"
	"testing"

	"github.com/flowtwin/flowtwin/engine/workflow"
)

func BenchmarkPartition(b *testing.B) {
	for _, n := range []int{200, 1000} {
		workflows := []*workflow.Workflow{genome(b, n)}
		// Room for all, and no limit to a group, so that the loop is long.
		parameters := ArtefactParameters()
		parameters.WorkerContainers, parameters.GroupLimit = float64(n), 0
		b.Run(fmt.Sprintf("flowtwin/functions=%d", n), func(b *testing.B) {
			var p Placement
			for b.Loop() {
				p = mustPlace(b, FaaSFlow{parameters}, sevenWorkers(), workflows...)
			}
			b.ReportMetric(float64(p.Cost.Iterations), "iterations")
		})
		b.Run(fmt.Sprintf("literal/functions=%d", n), func(b *testing.B) {
			for b.Loop() {
				literally(parameters, workflows, sevenWorkers())
			}
		})
	}
}

func BenchmarkImproved(b *testing.B) {
	for _, n := range []int{1000, 100_000, 1_000_000} {
		b.Run(fmt.Sprintf("functions=%d", n), func(b *testing.B) {
			w := genome(b, n)
			// 100 workers, which hold a tenth more than the functions need.
			workers := make([]Worker, 100)
			for i := range workers {
				workers[i].Memory = int64(n) * 3 / 100 * (32 << 30) / 96 * 11 / 10
			}
			for b.Loop() {
				mustPlace(b, FaaSFlowImproved{ArtefactParameters()}, workers, w)
			}
		})
	}
}
