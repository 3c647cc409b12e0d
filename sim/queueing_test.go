package sim_test

import (
	"context"
	"fmt"
	"math"
	"testing"

	"github.com/flowtwin/flowtwin/engine"
	"github.com/flowtwin/flowtwin/results/record"
	"github.com/flowtwin/flowtwin/sim"
)

// average is the mean of a quantity over all invocations.
type average struct {
	of    func(*record.Invocation) engine.Time
	sum   float64
	count int64
}

func (a *average) Invocation(i *record.Invocation) { a.sum += float64(a.of(i)); a.count++ }
func (a *average) Task(*record.Task)               {}
func (a *average) WantsTasks() bool                { return false }

func waiting(i *record.Invocation) engine.Time { return i.Phases[record.Queue] }

// inService is the time from the moment the task is triggered; in these
// scenarios everything before and after is messages.
func inService(i *record.Invocation) engine.Time { return i.Latency() - i.Phases[record.Control] }

// erlangC is the probability that a customer of M/M/c waits.
func erlangC(c int, load float64) float64 {
	term, sum := 1.0, 0.0
	for k := range c {
		sum += term
		term *= load / float64(k+1)
	}
	last := term / (1 - load/float64(c))
	return last / (sum + last)
}

// TestQueueing compares a scenario of one function with what queueing theory
// says: waiting for one container (M/M/1), for four (M/M/c), and sharing a
// core without a cap on containers (M/G/1 processor sharing, whose mean time
// depends on the mean service time alone).
func TestQueueing(t *testing.T) {
	if testing.Short() || raceDetector {
		t.Skip("5 million customers, 18 times: skipped with -short and under the race detector")
	}
	const service = 10 * ms // of the station as a whole
	for _, test := range []struct {
		name, workflow string
		cores          int
		of             func(*record.Invocation) engine.Time
		theory         func(rho float64) float64
	}{
		{"M/M/1", "station", 1, waiting, func(rho float64) float64 { return rho / (1 - rho) * float64(service) }},
		{"M/M/4", "stations", 4, waiting, func(rho float64) float64 {
			return erlangC(4, 4*rho) * float64(service) / (1 - rho)
		}},
		{"M/G/1-PS", "shared", 1, inService, func(rho float64) float64 { return float64(service) / (1 - rho) }},
	} {
		for _, rho := range []float64{0.5, 0.7} {
			for _, seed := range []int{1, 2, 3} {
				t.Run(fmt.Sprintf("%s/rho=%v/seed=%d", test.name, rho, seed), func(t *testing.T) {
					t.Parallel()
					p := plan(t, fmt.Sprintf(`
name: station
workflows: [%s.yaml]
cluster: {workers: 1, cores: %d}
load: {arrivals: poisson, rate: %v/s, limit: 5000000}
schedulers: [faasflow]
seed: %d
overrides: {container: {cold_start: 0}}
`, test.workflow, test.cores, rho*100, seed))
					a := &average{of: test.of}
					if err := (sim.World{}).Run(context.Background(), p.Trial(0, 0), a); err != nil {
						t.Fatal(err)
					}
					if a.count != 5_000_000 {
						t.Fatalf("%d customers", a.count)
					}
					got, want := a.sum/float64(a.count), test.theory(rho)
					if off := got/want - 1; math.Abs(off) > 0.01 {
						t.Errorf("mean %.0f ns, by theory %.0f ns: %.2f %% off", got, want, off*100)
					}
				})
			}
		}
	}
}
