package repro

import (
	"math"
	"slices"
	"testing"

	"github.com/flowtwin/flowtwin/engine"
	"github.com/flowtwin/flowtwin/results/record"
)

// videoRequest is a request of a video workflow, in seconds: upload, three
// instances of transcode, two of which ran at a time, and merge.
func videoRequest() *request {
	task := func(function, instance string, started, ended int) record.TaskRow {
		return record.TaskRow{Function: function, Instance: instance, Task: record.Task{
			Started: engine.Time(started) * engine.Second, Ended: engine.Time(ended) * engine.Second,
		}}
	}
	return &request{
		Invocation: record.Invocation{Sent: 10 * engine.Second, Ended: 29 * engine.Second},
		tasks: []record.TaskRow{
			task("upload", "", 11, 13), task("transcode", "1/3", 15, 18), task("transcode", "0/3", 14, 16), task("transcode", "2/3", 18, 20), task("merge", "", 24, 30),
		},
	}
}

func TestGapsBetweenMoments(t *testing.T) {
	for name, want := range map[string][]float64{
		"fire to upload start":                        {1},
		"upload end to transcode start":               {1}, // of the first instance
		"first transcode start to last transcode end": {6},
		"last transcode end to merge start":           {4},
		"upload and merge end to last function end":   {0},
		"fire to last function end":                   {20},
		"result to last function end":                 {1},
		"upload end to mosaic start":                  nil, // which did not run
	} {
		if got, err := gaps([]*request{videoRequest()}, name); err != nil || !slices.Equal(got, want) {
			t.Errorf("%s is %v, %v, want %v", name, got, err, want)
		}
	}
	for _, name := range []string{"upload end", "upload to merge start", "fire to merge middle"} {
		if got, err := gaps([]*request{videoRequest()}, name); err == nil {
			t.Errorf("%q is %v, want an error", name, got)
		}
	}
}

func TestInstancesAtATime(t *testing.T) {
	r := videoRequest()
	if n := r.atOnce("transcode"); n != 2 { // The third starts when the second ends.
		t.Errorf("%d instances of transcode ran at a time, want 2", n)
	}
	if n := r.atOnce("mosaic"); n != 0 {
		t.Errorf("%d instances of a function that did not run", n)
	}
	if at := item(&r.tasks[3]); at != 2 {
		t.Errorf("the item of instance 2/3 is %d", at)
	}
}

func TestStatistics(t *testing.T) {
	samples := []float64{4, 1, 3, 2}
	for name, want := range map[string]float64{"mean": 2.5, "min": 1, "max": 4, "p50": 2, "p99": 4, "sd": math.Sqrt(1.25)} {
		if got := statistic(name, samples); got != want {
			t.Errorf("the %s is %v, want %v", name, got, want)
		}
	}
	for _, got := range []float64{statistic("mean", nil), statistic("spread", samples), statistic("50", samples)} {
		if !math.IsNaN(got) {
			t.Errorf("a statistic that there is not is %v", got)
		}
	}
}
