// Package load says when invocations are asked for.
//
// There are two kinds of load. In a closed loop, clients send their next
// invocation when the last has ended, so the load adapts to the system. In an
// open loop, invocations arrive when they arrive, whatever has become of those
// before; their latency counts from the intended time.
package load

import (
	"math"

	"github.com/flowtwin/flowtwin/engine/draw"
)

// Plan is the load on one workflow. Times are in ns since the start of the
// trial.
type Plan struct {
	// Clients is the number of closed-loop clients; 0 means an open loop.
	Clients int
	// First is when the first client starts, Stagger how much later each
	// further one does.
	First, Stagger int64
	// Process makes the arrivals of an open loop.
	Process Process
	// Until is when clients stop sending and arrivals end. A client counts it
	// from its own start.
	Until int64
	// AtLeast is how many invocations each client sends, even after Until.
	AtLeast int64
	// Limit ends the load after so many invocations; 0 means no limit.
	Limit int64
	// Warmup leaves out of the statistics what was sent before this time,
	// WarmupCount the first so many invocations.
	Warmup      int64
	WarmupCount int64
}

// Measured reports whether an invocation counts in the statistics. number is
// counted from 0, intended is when it was to be sent.
func (p *Plan) Measured(number, intended int64) bool {
	return number >= p.WarmupCount && intended >= p.Warmup
}

// Spacing says how arrivals of a given rate lie in time.
type Spacing uint8

const (
	// Constant spacing: every 1/rate.
	Constant Spacing = iota
	// Poisson: exponential gaps.
	Poisson
)

// Process is an open loop's arrivals: steps of constant rate, or the times of
// a trace.
type Process struct {
	Spacing Spacing
	// Steps follow each other. The last one lasts for ever, unless Repeat
	// says to begin again.
	Steps  []Step
	Repeat bool
	// Trace holds arrival times in ascending order; if it is set, Spacing and
	// Steps do not matter.
	Trace []int64
}

// LastRate is the rate that lasts, in arrivals per second.
func (p *Process) LastRate() float64 {
	if len(p.Steps) == 0 {
		return 0
	}
	return p.Steps[len(p.Steps)-1].Rate
}

// Step is a time of constant rate.
type Step struct {
	// Rate in arrivals per second; 0 is a pause.
	Rate float64
	// For is the length of the step in ns.
	For int64
}

// Arrivals produces the arrival times of an open loop, one after the other.
type Arrivals struct {
	plan   *Plan
	source draw.Source
	stream uint64
	count  int64

	// Times are floats, in ns, so that rounding does not add up. at and ends
	// count from the begin of the period, so that short steps do not get lost
	// late in a long load.
	begin float64 // of the period, if steps repeat
	at    float64 // the last arrival, or as far as one was looked for
	step  int
	ends  float64 // of the step

	// A period of repeated steps: its length, and the arrivals it has on
	// average.
	period, perPeriod float64
}

// Arrivals returns the arrivals of one trial. stream tells workflows apart.
func (p *Plan) Arrivals(source draw.Source, stream uint64) *Arrivals {
	a := &Arrivals{plan: p, source: source, stream: stream}
	if len(p.Process.Steps) > 0 {
		a.ends = float64(p.Process.Steps[0].For)
	}
	for _, s := range p.Process.Steps {
		a.period += float64(s.For)
		a.perPeriod += float64(s.For) * s.Rate / 1e9
	}
	return a
}

// Next returns the next arrival time, or false when the load has ended.
func (a *Arrivals) Next() (at int64, ok bool) {
	if a.plan.Limit > 0 && a.count >= a.plan.Limit {
		return 0, false
	}
	if trace := a.plan.Process.Trace; trace != nil {
		if a.count >= int64(len(trace)) {
			return 0, false
		}
		at = trace[a.count]
	} else {
		// A gap may be longer than any number of nanoseconds.
		if !a.advance() || a.begin+a.at >= float64(a.plan.Until) {
			return 0, false
		}
		at = int64(math.Round(a.begin + a.at))
	}
	if at >= a.plan.Until {
		return 0, false
	}
	a.count++
	return at, true
}

// advance moves to the next arrival. What a gap needs of "rate × time" is 1
// for constant spacing and exponential for Poisson; it is used up step by
// step, so that a gap may span a change of rate.
func (a *Arrivals) advance() bool {
	need := 1.0
	switch a.plan.Process.Spacing {
	case Poisson:
		need = -math.Log(a.source.Sequence(draw.Arrival, a.stream, uint64(a.count)))
	case Constant:
		if a.count == 0 {
			need = 0 // The first one comes at once.
		}
	}
	steps := a.plan.Process.Steps
	if len(steps) == 0 {
		return false
	}
	repeat, until := a.plan.Process.Repeat, float64(a.plan.Until)
	for {
		if repeat && a.step == 0 && !a.skipPeriods(&need) {
			return false
		}
		last := a.step == len(steps)-1 && !repeat
		if rate := steps[a.step].Rate; rate > 0 {
			arrival := a.at + need*1e9/rate
			if last || math.Round(arrival) < a.ends { // At the edge the next step has begun.
				a.at = arrival
				return true
			}
			need = max(need-(a.ends-a.at)/1e9*rate, 0)
		} else if last {
			return false
		}
		if a.begin+a.ends >= until {
			return false
		}
		a.at = a.ends
		if a.step++; a.step == len(steps) {
			a.step, a.at, a.ends = 0, 0, 0
			a.begin += a.period
		}
		a.ends += float64(steps[a.step].For)
	}
}

// skipPeriods goes past the whole periods that a gap spans, all but the last,
// and takes off what the gap uses up in them. It is false if the load never
// has an arrival again.
func (a *Arrivals) skipPeriods(need *float64) bool {
	if a.perPeriod <= 0 {
		return false
	}
	if whole := math.Floor(*need/a.perPeriod) - 1; whole > 0 {
		*need -= whole * a.perPeriod
		a.begin += whole * a.period
	}
	return a.begin+a.at < float64(a.plan.Until)
}

// Expected is the expected number of arrivals of an open loop that is not a
// trace, without regard to Limit.
func (p *Plan) Expected() float64 {
	sum, at := 0.0, 0.0
	end := float64(p.Until)
	steps := p.Process.Steps
	for i := 0; len(steps) > 0 && at < end; i++ {
		last := i == len(steps)-1 && !p.Process.Repeat
		step := steps[i%len(steps)]
		length := float64(step.For)
		if last {
			length = end - at
		}
		if i == len(steps) && p.Process.Repeat { // One period is known: the others are like it.
			return sum * end / at
		}
		length = min(length, end-at)
		sum += step.Rate * length / 1e9
		at += length
	}
	return sum
}
