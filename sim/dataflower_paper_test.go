package sim_test

import (
	"fmt"
	"testing"
)

// Artefact, gateway.py: with the tables for three workers every bulk datum of
// all four workflows crosses nodes, once to the broker and once to each node
// that reads it, and nothing is kept in a node's memory. With one worker all
// go through its memory, and the broker is idle.
func TestThreeWorkersStreamAllBulkDataAndOneStreamsNone(t *testing.T) {
	for _, test := range []struct {
		workflow string
		bulk     int64 // bytes that are posted
		nodes    int64 // that read each
		memory   int64 // reads of each on one worker
	}{
		{"recognizer", 2_285_881, 2, 4}, // adult and extract on one node, violence and mosaic on the other
		{"svd", 16 * (1_048_786 + 3_051_837), 1, 1},
		{"video", 21_800_000 + 4*5_459_000 + 4*250_000, 1, 1},
		{"wordcount", 4_120_441, 1, 1},
	} {
		for _, workers := range []int{1, 3} {
			t.Run(fmt.Sprintf("%s on %d", test.workflow, workers), func(t *testing.T) {
				p := plan(t, fmt.Sprintf(`name: bulk
workflows: [dataflower/%s]
cluster: {workers: %d}
load: {clients: 1, limit: 3}
schedulers: [dataflower+dataflower+pipe]
profile: dataflower-testbed
`, test.workflow, workers))
				for _, i := range simulate(t, p, 0).invocations {
					got := [4]int64{i.RemoteWritten, i.RemoteRead, i.LocalWritten, i.LocalRead}
					want := [4]int64{test.bulk, test.nodes * test.bulk, 0, 0}
					if workers == 1 {
						want = [4]int64{0, 0, test.bulk, test.memory * test.bulk}
					}
					if got != want {
						t.Errorf("to and from the broker, to and from memory went %d bytes, want %d", got, want)
					}
				}
			})
		}
	}
}
