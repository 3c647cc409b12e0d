package ownfunction

import (
	"encoding/json"
	"maps"
	"os"
	"testing"
	"time"

	"github.com/flowtwin/flowtwin/emu/cluster"
)

// The containers of the cluster run this test program: Main keeps them from
// running the tests.
func TestMain(m *testing.M) {
	cluster.Main(cluster.WithFunctions(Functions()))
	os.Exit(m.Run())
}

// Under both schedulers, all words of the text are counted, and the parts have
// gone through Redis and Kafka.
func TestWordsAreCountedInContainers(t *testing.T) {
	cluster.SkipIfNoDocker(t)
	began := time.Now()
	c, err := cluster.Run(t.Context(), cluster.WithFunctions(Functions()), cluster.WithWorkers(2), cluster.WithLog(func(text string) { t.Log(text) }))
	cluster.Cleanup(t, c)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("the cluster is up after %s", time.Since(began).Round(time.Millisecond))
	result, err := c.Run(t.Context(), "scenario.yaml")
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("the scenario has ended after %s; it was served by %v", time.Since(began).Round(time.Millisecond), result.Serves)

	want := countWords(string(text()))
	for _, p := range result.Points {
		if len(p.Invocations) != 3 {
			t.Errorf("%s: %d invocations", p.Scheduler, len(p.Invocations))
		}
		for _, i := range p.Invocations {
			data, err := i.Output("merge.total")
			if err != nil {
				t.Fatal(err)
			}
			var got map[string]int
			if err := json.Unmarshal(data, &got); err != nil {
				t.Fatal(err)
			}
			if !maps.Equal(got, want) {
				t.Errorf("%s counts %v, want %v", p.Scheduler, got, want)
			}
			// All of the text went on its way: FaaSFlow has functions that go
			// together on one worker, and hands it on through the Redis there,
			// where DataFlower streams it through Kafka.
			written, read, through := i.LocalWritten, i.LocalRead, "Redis"
			if p.Scheduler == "dataflower" {
				written, read, through = i.RemoteWritten, i.RemoteRead, "Kafka"
			}
			if size := int64(len(text())); written < size || read < size {
				t.Errorf("%s: %d bytes were written to %s, and %d read from it; the text has %d", p.Scheduler, written, through, read, size)
			}
			t.Logf("%s: %s, %d cold starts, %.0f KB through %s", p.Scheduler,
				time.Duration(i.Latency()).Round(time.Millisecond), i.ColdStarts, float64(written)/1e3, through)
		}
	}
}
