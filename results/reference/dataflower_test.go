package reference

import (
	"math"
	"reflect"
	"testing"
)

func dataflower(t *testing.T) []Row {
	t.Helper()
	rows, err := Published("dataflower")
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

// value returns the number of DataFlower's row.
func value(t *testing.T, rows []Row, key Key) float64 {
	t.Helper()
	key.System = "dataflower"
	return lookup(t, rows, key).Value
}

// Eight statistics of a latency in each run, and so on.
func TestEveryFigureOfDataFlowerHasAllItsNumbers(t *testing.T) {
	got := map[string]int{}
	for _, r := range dataflower(t) {
		got[r.Figure]++
		if r.System != "dataflower" || r.Timeout {
			t.Errorf("%+v", r)
		}
		if perFunction := r.Figure == "functions" || r.Figure == "hold-back" || r.Figure == "peak-instances"; perFunction != (r.Function != "") || perFunction && r.X != 0 {
			t.Errorf("%+v: x is %v, of %q", r, r.X, r.Function)
		}
	}
	const workflows, functions, lists = 4, 17, 3
	want := map[string]int{
		"response-latency": workflows * 8,
		"throughput":       workflows * 9,
		"colocation":       workflows * 8,
		"functions":        2 * (functions*10 + lists),
		"stage-gaps":       9 + 5 + 5 + 5,
		"stage-gaps-sync":  9 + 5 + 5 + 5,
		"foreach-spacing":  2 * (16 + 4 + 8 + lists),
		"hold-back":        functions,
		"peak-instances":   2 * functions,
		"resources":        2*workflows*3 + workflows,
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}

// The numbers agree with each other.
func TestDataFlowersNumbersBelongTogether(t *testing.T) {
	rows := dataflower(t)
	for _, w := range []struct {
		name             string
		rpm, count, secs float64 // of the closed-loop run
	}{
		{"recognizer", 10, 162, 600},
		{"svd", 10, 49, 300},
		{"video", 4, 86, 600},
		{"wordcount", 10, 471, 300},
	} {
		sync := Key{Figure: "throughput", Series: "sync", Workflow: w.name, X: 1, Metric: "throughput"}
		throughput := value(t, rows, sync)
		near(t, w.name+"'s throughput in requests per minute", throughput, w.count*60/w.secs, 0.001)
		sync.Metric = "latency_mean"
		if busy := value(t, rows, sync) * throughput / 60; busy < 0.95 || busy > 1.01 { // the last request ends after the window
			t.Errorf("%s: its only client waits for %v of the time", w.name, busy)
		}
		// The gateway's latency is less than what the client waits for.
		gap := Key{Figure: "stage-gaps", Series: "fire to last function end", Workflow: w.name, Metric: "gap_p50"}
		end := value(t, rows, gap)
		gap.Series = "result to last function end"
		near(t, w.name+"'s median latency", value(t, rows, Key{Figure: "response-latency", Series: "async", Workflow: w.name, X: w.rpm, Metric: "latency_p50"}), end-value(t, rows, gap), 0.002)
	}
	// Functions × cores × 1.25 GiB, for the word count.
	seconds := 0.0
	for f, instances := range map[string]float64{"start": 1, "count": 8, "merge": 1} {
		seconds += instances * value(t, rows, Key{Figure: "functions", Series: "async", Workflow: "wordcount", Function: f, Metric: "duration_mean"})
	}
	near(t, "GB·s of the word count", value(t, rows, Key{Figure: "resources", Series: "async", Workflow: "wordcount", Metric: "container_gb_s_mean"}), seconds*0.2*1.25, 0.0005)
	// Of svd's 16 items each starts as much later as it takes to send one of
	// 1 048 786 bytes at 9.56 MB/s.
	spacing := value(t, rows, Key{Figure: "foreach-spacing", Series: "async", Workflow: "svd", Metric: "spacing_mean"})
	near(t, "spacing of svd's items", spacing, 1048786/9.56e6, 0.0005)
	for item := 2.0; item <= 16; item++ {
		key := Key{Figure: "foreach-spacing", Series: "async", Workflow: "svd", X: item, Metric: "start_p50"}
		later := value(t, rows, key)
		key.X--
		near(t, "start of an item after the last", later-value(t, rows, key), spacing, 0.002)
	}
}

// The hold-back of a container is what its bytes take at 40 MiB/s a core, less
// the time that the function ran.
func TestHoldBackFollowsFromBytesAndDuration(t *testing.T) {
	rows := dataflower(t)
	for _, f := range []struct {
		workflow, function string
		cores, bytes       float64
	}{
		{"recognizer", "upload", 0.2, 2285881},
		{"svd", "start", 0.2, 16780576},
		{"svd", "compute", 0.1, 3051837},
		{"video", "upload", 0.2, 21.8e6},
		{"video", "split", 0.2, 4 * 5459000},
		{"video", "transcode", 0.5, 250000},
		{"wordcount", "start", 0.2, 3383449},
		{"wordcount", "count", 0.2, 92124},
	} {
		key := Key{Figure: "hold-back", Workflow: f.workflow, Function: f.function, Metric: "hold_back_mean"}
		ran := value(t, rows, Key{Figure: "functions", Series: "async", Workflow: f.workflow, Function: f.function, Metric: "duration_mean"})
		want := max(0, f.bytes/(0.8*50*(1<<20)*f.cores)-ran)
		if got := value(t, rows, key); math.Abs(got-want) > 0.0002 {
			t.Errorf("%s of %s is held back %v s, want %v", f.function, f.workflow, got, want)
		}
	}
}
