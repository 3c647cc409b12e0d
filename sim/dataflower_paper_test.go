package sim_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/flowtwin/flowtwin/engine"
	"github.com/flowtwin/flowtwin/results/record"
	"github.com/flowtwin/flowtwin/scenarios"
)

// These tests are claims of the DataFlower paper (ASPLOS'24), and of what its
// artefact has recorded, that show only when time passes; those that show in
// the protocol alone are in engine/dataflower. All run on the paper's testbed.

// testbed is one of the four workflows on it.
func testbed(t *testing.T, workflow, scheduler, load string, settings ...string) *scenarios.Plan {
	return plan(t, fmt.Sprintf(`name: testbed
workflows: [dataflower/%s]
cluster: {workers: 3, cores: 16}
load: %s
schedulers: [%s]
profile: dataflower-testbed
`, workflow, load, scheduler), settings...)
}

const (
	asInThePaper = "dataflower+dataflower+pipe"
	baseline     = "mastersp+dataflower+remote" // on the same workers
)

// Paper, abstract: control-flow orchestration persists data, uses CPU and network
// one after the other, and triggers functions late. So under MasterSP a
// request spends a good part of its time on putting, functions hold their
// containers meanwhile, and none is triggered before another has ended. Under
// DataFlower no function of the four waits for a put to the store, containers
// are free when the function is done, and in video the next function is on its
// way before the one before it has ended.
func TestDataFlowerSendsWhileFunctionsRunAndTriggersEarly(t *testing.T) {
	for _, workflow := range []string{"recognizer", "svd", "video", "wordcount"} {
		theirs := simulate(t, testbed(t, workflow, baseline, "{clients: 1, limit: 5}"), 0)
		ours := simulate(t, testbed(t, workflow, asInThePaper, "{clients: 1, limit: 5}"), 0)
		putting := func(r *records) float64 {
			return mean(r.invocations, func(i *record.Invocation) float64 { return float64(i.Phases[record.Put]) / float64(i.Latency()) })
		}
		if before, after := putting(theirs), putting(ours); before < 0.05 || after > 0.005 {
			t.Errorf("%s spends %.1f %% of its time on putting, and %.1f %% under MasterSP", workflow, 100*after, 100*before)
		}
		held := func(r *records) float64 {
			return mean(r.invocations, func(i *record.Invocation) float64 { return i.ContainerByteTime })
		}
		if held(ours) >= held(theirs) {
			t.Errorf("%s keeps containers busy for %.2f times what it does under MasterSP", workflow, held(ours)/held(theirs))
		}
	}
	for _, scheduler := range []string{baseline, asInThePaper} {
		p := testbed(t, "video", scheduler, "{clients: 1, limit: 1}")
		r := simulate(t, p, 0)
		upload, split := r.task(t, p, "upload"), r.task(t, p, "split")
		if early := split.Queued-split.Before.Transfer < upload.Ended; early != (scheduler == asInThePaper) {
			t.Errorf("under %s, video is on its way before upload has ended: %v", scheduler, early)
		}
	}
}

// Paper, abstract: the tail latency is lower and the peak throughput higher than
// with control-flow orchestration, on the same workers.
func TestDataFlowerIsFasterThanMasterSPOnTheSameWorkers(t *testing.T) {
	for _, workflow := range []string{"recognizer", "svd", "video", "wordcount"} {
		theirs := simulate(t, testbed(t, workflow, baseline, "{clients: 1, limit: 30}"), 0)
		ours := simulate(t, testbed(t, workflow, asInThePaper, "{clients: 1, limit: 30}"), 0)
		worst := func(r *records) (worst engine.Time) {
			for i := range r.invocations {
				worst = max(worst, r.invocations[i].Latency())
			}
			return worst
		}
		if worst(ours) >= worst(theirs) {
			t.Errorf("%s takes %d ns at worst, and %d ns under MasterSP", workflow, worst(ours), worst(theirs))
		}
	}
	// SVD moves the most bytes: many clients, and the time that all take.
	load := "{clients: 48, limit: 192}"
	makespan := func(scheduler string) (end engine.Time) {
		r := simulate(t, testbed(t, "svd", scheduler, load), 0)
		for i := range r.invocations {
			end = max(end, r.invocations[i].Ended)
		}
		return end
	}
	if gain := float64(makespan(baseline)) / float64(makespan(asInThePaper)); gain < 1.1 {
		t.Errorf("DataFlower completes %.2f times as many requests of svd as MasterSP", gain)
	}
}

// Artefact, disable_pressure_aware_test: without the rule, svd's start takes the
// next request as soon as it has posted its matrix, and requests queue for its
// data unit; with it they get a container each.
func TestPressureAwareScalingSustainsThroughput(t *testing.T) {
	load := "{clients: 12, limit: 60, stagger: 2s}"
	with := simulate(t, testbed(t, "svd", asInThePaper, load), 0)
	without := simulate(t, testbed(t, "svd", asInThePaper, load, "overrides.pressure.enabled=false"), 0)
	if a, b := mean(with.invocations, latency), mean(without.invocations, latency); a > 7.5 || b < 2*a {
		t.Errorf("svd takes %.1f s with pressure-aware scaling and %.1f s without", a, b)
	}
}

// Recorded: a bulk datum that crosses nodes takes its bytes at 47.8 MB/s for
// each core of the sender, and 2 to 5 ms. Gaps of the open-loop runs, from the
// end of the sender, which posts last (recognizer) or has a queue of others to
// send before (svd, wordcount).
func TestBulkDataTakeTheirBytesAtTheSendersLimit(t *testing.T) {
	for _, test := range []struct {
		workflow, from, to string
		seconds            float64 // median that was recorded
	}{
		{"recognizer", "upload", "adult", 0.2420},
		{"recognizer", "upload", "violence", 0.2413},
		{"svd", "start", "compute[0/16]", 0.1122},
		{"svd", "start", "compute[15/16]", 1.7614},
		{"video", "split", "transcode[0/4]", 0.2777},
		{"video", "split", "transcode[3/4]", 1.9921},
		{"wordcount", "start", "count[0/8]", 0.0488},
		{"wordcount", "start", "count[7/8]", 0.3595},
	} {
		p := testbed(t, test.workflow, asInThePaper, "{clients: 1, limit: 1}", "overrides.container.cold_start=0s")
		r := simulate(t, p, 0)
		gap := float64(r.task(t, p, test.to).Started-r.task(t, p, test.from).Ended) / 1e9
		if math.Abs(gap/test.seconds-1) > 0.06 {
			t.Errorf("%s: %s starts %.4f s after %s has ended, recorded were %.4f s", test.workflow, test.to, gap, test.from, test.seconds)
		}
	}
}

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
				p := testbed(t, test.workflow, asInThePaper, "{clients: 1, limit: 3}", fmt.Sprintf("cluster.workers=%d", workers))
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
