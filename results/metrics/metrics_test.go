package metrics_test

import (
	"math"
	"slices"
	"testing"

	"github.com/flowtwin/flowtwin/engine"
	"github.com/flowtwin/flowtwin/results/metrics"
	"github.com/flowtwin/flowtwin/results/record"
)

// invocation was to be sent at 10 s and was at 10.1 s, ended at 13.5 s, and of
// that 2.2 s were measured for the functions on the critical path.
var invocation = record.Invocation{
	Intended: 10_000_000_000, Sent: 10_100_000_000, Started: 10_300_000_000, Ended: 13_500_000_000,
	Phases:       [record.Phases]engine.Time{600_000_000, 300_000_000, 400_000_000, 500_000_000, 1_500_000_000, 200_000_000},
	CriticalTime: 2_200_000_000, FetchTime: 900_000_000, PutTime: 350_000_000, HopTime: 900_000, Hops: 3,
	Tasks: 5, ColdStarts: 2, Messages: 14, Conflicts: 3,
	RemoteRead: 1_000, RemoteWritten: 2_000, LocalRead: 3_000, LocalWritten: 4_000, ResentBytes: 500,
	// 256 MiB for 2 s.
	ContainerByteTime: 268_435_456 * 2e9, Cost: 0.25,
}

var trial = record.Trial{Throughput: 42.5, Completed: 40, Failed: 3, TimedOut: 2, ColdStarts: 7}

// Scripts rely on the names. The values are worked out by hand.
func TestMetrics(t *testing.T) {
	want := []struct {
		name, unit string
		value      float64
	}{
		{"latency", "s", 3.5},             // 13.5 - 10, from the intended time
		{"scheduling_overhead", "s", 1.3}, // 3.5 - 2.2
		{"data_overhead", "s", 1.25},      // 0.9 + 0.35
		{"hop_overhead", "s", 0.0003},     // 0.9 ms in 3 hops
		{"throughput", "1/min", 42.5},
		{"completed", "", 40},
		{"failed", "", 3},
		{"timed_out", "", 2},
		{"cold_starts", "", 7}, // the trial's, not the invocation's
		{"container_gb_s", "GB·s", 0.536870912},
		{"bytes_remote_read", "B", 1_000},
		{"bytes_remote_written", "B", 2_000},
		{"bytes_local_read", "B", 3_000},
		{"bytes_local_written", "B", 4_000},
		{"bytes_resent", "B", 500},
		{"messages", "", 14},
		{"conflicts", "", 3},
		{"tasks", "", 5},
		{"cost", "$", 0.25},
		{"phase_control", "s", 0.6},
		{"phase_queue", "s", 0.3},
		{"phase_cold_start", "s", 0.4},
		{"phase_fetch", "s", 0.5},
		{"phase_compute", "s", 1.5},
		{"phase_put", "s", 0.2},
		{"phase_transfer", "s", 0},
		{"phase_hold_back", "s", 0},
	}
	all := metrics.All()
	for i, w := range want {
		if i >= len(all) {
			t.Fatalf("there is no metric %s", w.name)
		}
		m := all[i]
		if m.Name != w.name || m.Unit != w.unit || m.About == "" {
			t.Errorf("metric %d is %s in %q (%s), want %s in %q", i, m.Name, m.Unit, m.About, w.name, w.unit)
		}
		if (m.Of == nil) == (m.OfTrial == nil) {
			t.Fatalf("%s must be of invocations or of trials", m.Name)
		}
		var got float64
		if m.Of != nil {
			got = m.Of(&invocation)
		} else {
			got = m.OfTrial(&trial)
		}
		if math.Abs(got-w.value) > 1e-12 {
			t.Errorf("%s is %v, want %v", m.Name, got, w.value)
		}
	}
	if len(all) != len(want) {
		t.Errorf("there are %d metrics, want %d", len(all), len(want))
	}
}

// The phases are what the latency is made of.
func TestPhasesAddUpToTheLatency(t *testing.T) {
	sum := 0.0
	for _, m := range metrics.Phases() {
		sum += m.Of(&invocation)
	}
	if latency := all(t, "latency").Of(&invocation); math.Abs(sum-latency) > 1e-12 {
		t.Errorf("the phases add up to %v s of %v s", sum, latency)
	}
}

func all(t *testing.T, name string) metrics.Metric {
	t.Helper()
	m, ok := metrics.Find(name)
	if !ok {
		t.Fatalf("there is no metric %s", name)
	}
	return m
}

func TestFind(t *testing.T) {
	for _, m := range metrics.All() {
		if found, ok := metrics.Find(m.Name); !ok || found.Name != m.Name {
			t.Errorf("%s is not found", m.Name)
		}
	}
	if m, ok := metrics.Find("latencies"); ok {
		t.Errorf("latencies is found: %s", m.Name)
	}
	names := map[string]bool{}
	if slices.ContainsFunc(metrics.All(), func(m metrics.Metric) bool {
		twice := names[m.Name]
		names[m.Name] = true
		return twice
	}) {
		t.Error("two metrics have one name")
	}
}
