package local_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/flowtwin/flowtwin/emu/local"
	"github.com/flowtwin/flowtwin/engine"
	"github.com/flowtwin/flowtwin/results/record"
	"github.com/flowtwin/flowtwin/results/stats"
	"github.com/flowtwin/flowtwin/scenarios"
)

const (
	asked = 3000 // invocations of an empty function
	every = time.Second / 1000
)

// BenchmarkLag asks for 1000 invocations a second of an empty function, and
// measures by how much the generator is late: lag-ms is the p99 of it. Beside
// it a bare loop sleeps to the same plan, in the same process and at the same
// time: bare-ms is the p99 of by how much that is late, over-ms the difference.
func BenchmarkLag(b *testing.B) {
	dir := b.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "empty.yaml"), []byte("name: empty\nfunctions: {nothing: {compute: 0s}}\n"), 0o644); err != nil {
		b.Fatal(err)
	}
	for _, scheduler := range []string{"mastersp", "faasflow", "dataflower"} {
		b.Run(scheduler, func(b *testing.B) {
			plan, err := scenarios.Parse("lag.yaml", fmt.Appendf(nil, `
name: lag
workflows: [empty.yaml]
cluster: {workers: 3}
load: {arrivals: constant, rate: 1000/s, limit: %d}
schedulers: [%s]
profile: ideal
`, asked, scheduler), dir, scenarios.Options{})
			if err != nil {
				b.Fatal(err)
			}
			w, err := local.New(context.Background(), local.Options{Warn: func(text string) { b.Error(text) }})
			if err != nil {
				b.Fatal(err)
			}
			var lag, bare []float64
			for range b.N {
				var sleeper sleeper
				sleeper.start()
				trial := &lags{}
				err := w.Run(context.Background(), plan.Trial(0, 0), trial)
				sleeper.stop()
				if err != nil {
					b.Fatal(err)
				}
				lag = append(lag, trial.ms...)
				bare = append(bare, sleeper.late(trial.began, asked)...)
			}
			if len(lag) != b.N*asked || len(bare) < len(lag)-b.N {
				b.Fatalf("%d invocations completed, and beside them the loop slept %d times, want %d", len(lag), len(bare), b.N*asked)
			}
			with, without := p99(lag), p99(bare)
			b.ReportMetric(with, "lag-ms")
			b.ReportMetric(without, "bare-ms")
			b.ReportMetric(with-without, "over-ms")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// sleeper sleeps until every whole time of the plan, and does nothing else.
type sleeper struct {
	began time.Time
	ms    []float64 // by how much it was late
	done  atomic.Bool
	loop  sync.WaitGroup
}

func (s *sleeper) start() {
	s.began = time.Now()
	s.loop.Go(func() {
		for !s.done.Load() {
			at := s.began.Add(time.Duration(len(s.ms)) * every)
			time.Sleep(time.Until(at))
			s.ms = append(s.ms, float64(time.Since(at))/1e6)
		}
	})
}

func (s *sleeper) stop() {
	s.done.Store(true)
	s.loop.Wait()
}

// late returns what it measured of so many sleeps from a time on.
func (s *sleeper) late(from time.Time, n int) []float64 {
	first := min(int(from.Sub(s.began)/every)+1, len(s.ms))
	return s.ms[first:min(first+n, len(s.ms))]
}

func p99(ms []float64) float64 {
	slices.Sort(ms)
	return stats.Percentile(ms, 99)
}

// lags are by how many ms the generator was late with each invocation that
// completed.
type lags struct {
	began time.Time // of the trial
	ms    []float64
}

func (l *lags) Invocation(i *record.Invocation) {
	if l.began.IsZero() {
		l.began = time.Now().Add(-time.Duration(i.Ended)) // It has just ended.
	}
	if i.Outcome == engine.Completed {
		l.ms = append(l.ms, float64(i.Sent-i.Intended)/1e6)
	}
}

func (l *lags) Task(*record.Task) {}
func (l *lags) WantsTasks() bool  { return false }
