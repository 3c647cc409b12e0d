package scenarios

import (
	"math"
	"time"

	"github.com/flowtwin/flowtwin/scenarios/load"
)

// RealTime is about how long one trial of every point takes together where
// time is real: the load and, behind it, the last invocation. What a platform
// adds is not counted.
func (p *Plan) RealTime() time.Duration {
	sum := 0.0
	for i := range p.Points {
		point := &p.Points[i]
		longest := 0.0
		for w := range point.trial.Loads {
			_, critical := point.trial.Workflows[w].CriticalPath()
			longest = max(longest, p.realTime(&point.trial.Loads[w], point.expected[w], critical))
		}
		sum += longest
	}
	return time.Duration(min(sum, math.MaxInt64))
}

// realTime is how long a load lasts of which n invocations are expected, each
// of them as long as critical.
func (p *Plan) realTime(l *load.Plan, n, critical float64) float64 {
	last := math.Inf(1)
	if p.Limit > 0 {
		last = float64(p.Limit)
	}
	switch {
	case l.Clients > 0:
		starts := float64(l.First) + float64(l.Stagger)*float64(l.Clients-1)
		last = min(last, starts+max(n/float64(l.Clients)*critical, 0))
	case l.Process.Trace != nil:
		if n := len(l.Process.Trace); n > 0 {
			last = min(last, float64(l.Process.Trace[n-1]))
		}
		last = min(last, float64(l.Until))
	case l.Until < math.MaxInt64:
		last = min(last, float64(l.Until))
	default: // Until a number has been sent.
		if rate := l.Process.LastRate(); rate > 0 {
			last = min(last, n/rate*1e9)
		}
	}
	return last + critical
}
