package load_test

import (
	"math"
	"slices"
	"testing"

	"github.com/flowtwin/flowtwin/engine/draw"
	"github.com/flowtwin/flowtwin/scenarios/load"
)

const (
	second  = int64(1e9)
	forever = math.MaxInt64
)

// times returns the first arrivals of a load, at most n.
func times(p load.Plan, seed uint64, n int) (all []int64) {
	a := p.Arrivals(draw.New(seed), 0)
	for range n {
		at, ok := a.Next()
		if !ok {
			break
		}
		all = append(all, at)
	}
	return all
}

// seconds converts times given in seconds.
func seconds(at ...float64) (all []int64) {
	for _, s := range at {
		all = append(all, int64(math.Round(s*1e9)))
	}
	return all
}

func constant(rate float64) load.Process {
	return load.Process{Steps: []load.Step{{Rate: rate}}}
}

func TestArrivals(t *testing.T) {
	steps := func(repeat bool, steps ...load.Step) load.Process { return load.Process{Steps: steps, Repeat: repeat} }
	for name, test := range map[string]struct {
		plan load.Plan
		want []int64
	}{
		"constant: the first at once, then every 1/rate": {
			load.Plan{Process: constant(4), Until: second}, seconds(0, 0.25, 0.5, 0.75),
		},
		"the end is not part of the load": {
			load.Plan{Process: constant(1), Until: 3 * second}, seconds(0, 1, 2),
		},
		"a limit ends it earlier": {
			load.Plan{Process: constant(1), Until: 9 * second, Limit: 2}, seconds(0, 1),
		},
		"a limit ends what has no other end": {
			load.Plan{Process: constant(10), Until: forever, Limit: 3}, seconds(0, 0.1, 0.2),
		},
		"a third of a second does not add up to errors": {
			load.Plan{Process: constant(3), Until: forever, Limit: 7}, seconds(0, 1./3, 2./3, 1, 4./3, 5./3, 2),
		},
		"a burst is denser from its first to its last moment": {
			load.Plan{Process: steps(false, load.Step{Rate: 1, For: 2 * second}, load.Step{Rate: 4, For: second}, load.Step{Rate: 1}), Until: 5 * second},
			seconds(0, 1, 2, 2.25, 2.5, 2.75, 3, 4),
		},
		"a gap that a change of rate falls into is used up at both rates": {
			// At 1.5 s half of the gap from 1 s on is used up; the other half
			// takes 0.125 s at the rate of 4/s.
			load.Plan{Process: steps(false, load.Step{Rate: 1, For: 1500e6}, load.Step{Rate: 4}), Until: 2200e6},
			seconds(0, 1, 1.625, 1.875, 2.125),
		},
		"a burst is repeated in every period": {
			load.Plan{Process: steps(true, load.Step{Rate: 1, For: second}, load.Step{Rate: 2, For: second}, load.Step{Rate: 1, For: second}), Until: 6 * second},
			seconds(0, 1, 1.5, 2, 3, 4, 4.5, 5),
		},
		"a ramp climbs step by step to the rate": {
			load.Plan{Process: steps(false, load.Step{Rate: 1, For: 2 * second}, load.Step{Rate: 2, For: second}, load.Step{Rate: 4}), Until: 4 * second},
			seconds(0, 1, 2, 2.5, 3, 3.25, 3.5, 3.75),
		},
		"a step of rate 0 is a pause": {
			load.Plan{Process: steps(false, load.Step{Rate: 2, For: second}, load.Step{Rate: 0, For: 10 * second}, load.Step{Rate: 2}), Until: 12 * second},
			seconds(0, 0.5, 11, 11.5),
		},
		"a step may begin with a pause": {
			load.Plan{Process: steps(false, load.Step{Rate: 0, For: second}, load.Step{Rate: 2}), Until: 2 * second},
			seconds(1, 1.5),
		},
		"an empty step is none": {
			load.Plan{Process: steps(false, load.Step{Rate: 9, For: 0}, load.Step{Rate: 1}), Until: 2 * second}, seconds(0, 1),
		},
		"a trace arrives as it says": {
			load.Plan{Process: load.Process{Trace: seconds(0.1, 0.1, 3, 7)}, Until: forever}, seconds(0.1, 0.1, 3, 7),
		},
		"a trace ends with the load": {
			load.Plan{Process: load.Process{Trace: seconds(0.1, 3, 7)}, Until: 7 * second}, seconds(0.1, 3),
		},
		"a trace keeps to the limit": {
			load.Plan{Process: load.Process{Trace: seconds(0.1, 3, 7)}, Until: forever, Limit: 1}, seconds(0.1),
		},
		"an empty trace has no arrivals": {
			load.Plan{Process: load.Process{Trace: []int64{}}, Until: forever}, nil,
		},
	} {
		t.Run(name, func(t *testing.T) {
			if got := times(test.plan, 1, 100); !slices.Equal(got, test.want) {
				t.Errorf("got %v, want %v", got, test.want)
			}
		})
	}
}

// The gaps of Poisson arrivals are exponential: with mean 1/rate and variance
// 1/rate². Of n gaps the mean is off by 1/√n, and the variance by √(8/n), with
// a probability of about a third; three times as much is allowed.
func TestPoissonGapsAreExponential(t *testing.T) {
	const n, rate = 200_000, 5.0
	for seed := range uint64(3) {
		p := load.Plan{Process: load.Process{Spacing: load.Poisson, Steps: []load.Step{{Rate: rate}}}, Until: forever}
		all := times(p, seed, n)
		sum, squares, last, long := 0.0, 0.0, int64(0), 0
		for _, at := range all {
			gap := float64(at-last) / 1e9
			last = at
			sum += gap
			squares += gap * gap
			if gap > 2/rate {
				long++
			}
		}
		mean := sum / n
		variance := squares/n - mean*mean
		if off := mean*rate - 1; math.Abs(off) > 3/math.Sqrt(n) {
			t.Errorf("seed %d: the mean gap is %v s, want %v (off by %.2g)", seed, mean, 1/rate, off)
		}
		if off := variance*rate*rate - 1; math.Abs(off) > 3*math.Sqrt(8./n) {
			t.Errorf("seed %d: the variance is %v s², want %v (off by %.2g)", seed, variance, 1/(rate*rate), off)
		}
		if share := float64(long) / n; math.Abs(share-math.Exp(-2)) > 3*math.Sqrt(math.Exp(-2)/n) {
			t.Errorf("seed %d: %v of the gaps are longer than twice the mean, want %v", seed, share, math.Exp(-2))
		}
	}
}

// Poisson arrivals at changing rates: in each step as many as its rate and
// length make, on average.
func TestPoissonRatesChangeExactlyAtTheEdgesOfSteps(t *testing.T) {
	steps := []load.Step{{Rate: 10, For: second / 2}, {Rate: 200, For: second / 4}, {Rate: 0, For: second / 8}, {Rate: 50, For: second / 8}}
	const periods = 2000
	p := load.Plan{Process: load.Process{Spacing: load.Poisson, Steps: steps, Repeat: true}, Until: periods * second}
	counts := make([]float64, len(steps))
	for _, at := range times(p, 1, 1<<30) {
		into, step := at%second, 0
		for into >= steps[step].For {
			into -= steps[step].For
			step++
		}
		counts[step]++
	}
	for i, s := range steps {
		want := s.Rate * float64(s.For) / 1e9 * periods
		if math.Abs(counts[i]-want) > 4*math.Sqrt(want) {
			t.Errorf("step %d: %v arrivals, want about %v", i, counts[i], want)
		}
	}
}

func TestStreamsAndSeedsAreIndependent(t *testing.T) {
	p := load.Plan{Process: load.Process{Spacing: load.Poisson, Steps: []load.Step{{Rate: 1}}}, Until: forever}
	first, _ := p.Arrivals(draw.New(1), 0).Next()
	again, _ := p.Arrivals(draw.New(1), 0).Next()
	stream, _ := p.Arrivals(draw.New(1), 1).Next()
	seed, _ := p.Arrivals(draw.New(2), 0).Next()
	if first != again || first == stream || first == seed {
		t.Errorf("%d, again %d; another stream %d, another seed %d", first, again, stream, seed)
	}
}

func TestTheWarmUpIsByTimeAndByCount(t *testing.T) {
	p := load.Plan{Warmup: 10, WarmupCount: 2}
	for _, test := range []struct {
		number, intended int64
		want             bool
	}{{0, 0, false}, {1, 100, false}, {2, 9, false}, {2, 10, true}, {3, 100, true}} {
		if got := p.Measured(test.number, test.intended); got != test.want {
			t.Errorf("number %d at %d: %v", test.number, test.intended, got)
		}
	}
	if !(&load.Plan{}).Measured(0, 0) {
		t.Error("without a warm-up the first one does not count")
	}
}

func TestExpectedArrivals(t *testing.T) {
	steps := []load.Step{{Rate: 1, For: 2 * second}, {Rate: 10, For: second}}
	for name, test := range map[string]struct {
		plan load.Plan
		want float64
	}{
		"one rate":             {load.Plan{Process: constant(3), Until: 10 * second}, 30},
		"steps":                {load.Plan{Process: load.Process{Steps: append(slices.Clone(steps), load.Step{Rate: 2})}, Until: 10 * second}, 2 + 10 + 14},
		"steps cut off":        {load.Plan{Process: load.Process{Steps: append(slices.Clone(steps), load.Step{Rate: 2})}, Until: 5 * second / 2}, 2 + 5},
		"periods":              {load.Plan{Process: load.Process{Steps: steps, Repeat: true}, Until: 30 * second}, 120},
		"less than a period":   {load.Plan{Process: load.Process{Steps: steps, Repeat: true}, Until: second}, 1},
		"nothing said":         {load.Plan{Until: second}, 0},
		"the last is for ever": {load.Plan{Process: load.Process{Steps: steps}, Until: 4 * second}, 2 + 20},
	} {
		if got := test.plan.Expected(); math.Abs(got-test.want) > 1e-9 {
			t.Errorf("%s: %v, want %v", name, got, test.want)
		}
	}
}

// Rates that no one means must not panic, go back in time or take for ever.
func TestExtremes(t *testing.T) {
	steps := func(repeat bool, steps ...load.Step) load.Process {
		return load.Process{Spacing: load.Poisson, Steps: steps, Repeat: repeat}
	}
	for name, test := range map[string]struct {
		plan load.Plan
		want int // arrivals, of at most 1000
	}{
		"a gap longer than time itself":        {load.Plan{Process: constant(1e-300), Until: forever}, 1},
		"a gap of no time at all":              {load.Plan{Process: constant(1e300), Until: forever}, 1000},
		"a rate above all numbers":             {load.Plan{Process: constant(math.MaxFloat64), Until: second}, 1000},
		"a rate of 0":                          {load.Plan{Process: steps(false, load.Step{}), Until: forever}, 0},
		"no steps":                             {load.Plan{Until: forever}, 0},
		"nothing before the end":               {load.Plan{Process: constant(1)}, 0},
		"periods without arrivals":             {load.Plan{Process: steps(true, load.Step{Rate: 5}, load.Step{For: 1}), Until: forever}, 0},
		"periods of no length":                 {load.Plan{Process: steps(true, load.Step{Rate: 5}), Until: forever}, 0},
		"a gap over 10^15 periods":             {load.Plan{Process: steps(true, load.Step{Rate: 1e-6, For: 1}, load.Step{For: 1}), Until: forever}, 1000},
		"a gap over more periods than numbers": {load.Plan{Process: steps(true, load.Step{Rate: 1e-290, For: 1}, load.Step{For: 1}), Until: forever}, 0},
		"a step as long as time":               {load.Plan{Process: steps(false, load.Step{Rate: 1, For: forever}, load.Step{Rate: 1}), Until: forever}, 1000},
	} {
		t.Run(name, func(t *testing.T) {
			got := times(test.plan, 1, 1000)
			if len(got) != test.want || !slices.IsSorted(got) || len(got) > 0 && (got[0] < 0 || got[len(got)-1] >= test.plan.Until) {
				t.Errorf("%d arrivals, want %d: %v", len(got), test.want, got)
			}
			_ = test.plan.Expected()
		})
	}
}
