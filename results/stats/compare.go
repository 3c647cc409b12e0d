package stats

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
)

// Comparison sets two schedulers, a and b, against each other.
type Comparison struct {
	// Pairs is the number of invocations that both measured.
	Pairs int
	// Unpaired is the number of invocations that only one of them measured.
	// They do not count. If many are missing because one scheduler timed out,
	// the ratio flatters it; a warning says so.
	Unpaired int
	// Ratio is the mean of a over the mean of b, both over the pairs: 2.9 for
	// latencies means that b is 2.9 times faster. It is NaN without pairs, and
	// unless the mean of b is positive.
	Ratio float64
	// Interval is the 95 % interval of the ratio.
	Interval Interval
}

// Compare compares samples of two schedulers in pairs: a[t][i] and b[t][i] are
// the same invocation of the same trial, which met the same arrival, the same
// sizes and the same service times. What has no partner (NaN, infinite, or
// beyond the end of the other slice) is left out. Pairs are resampled as pairs:
// over trials if there are five or more, else over blocks of pairs, which are
// in order of time. So what both schedulers share cancels, and the interval is
// often far narrower than those of the two means.
func Compare(a, b [][]float64, seed uint64) Comparison {
	var c Comparison
	var above, below, residuals [][]float64
	for t := range max(len(a), len(b)) {
		x, y, unpaired := pairs(trial(a, t), trial(b, t))
		c.Pairs += len(x)
		c.Unpaired += unpaired
		if len(x) > 0 {
			above, below = append(above, x), append(below, y)
		}
	}
	denominator := mean(below)
	c.Ratio = mean(above) / denominator
	switch {
	case c.Pairs == 0:
		c.Interval = noInterval("no invocation was measured under both schedulers")
		return c
	case !(denominator > 0) || !finite(c.Ratio):
		c.Ratio = math.NaN()
		c.Interval = noInterval("the mean to divide by is not positive")
		return c
	}
	for t := range above {
		r := make([]float64, len(above[t]))
		for i := range r {
			r[i] = above[t][i] - c.Ratio*below[t][i]
		}
		residuals = append(residuals, r)
	}
	c.Interval = interval(c.Pairs, above, below, residuals, seed)
	if c.Interval.Method != None {
		c.Interval.Lo, c.Interval.Hi = min(c.Interval.Lo, c.Ratio), max(c.Interval.Hi, c.Ratio)
	}
	if c.Unpaired*20 > c.Pairs {
		c.Interval.Warnings = append(c.Interval.Warnings,
			fmt.Sprintf("%d invocations were measured under one scheduler only and are left out", c.Unpaired))
	}
	return c
}

func trial(trials [][]float64, t int) []float64 {
	if t < len(trials) {
		return trials[t]
	}
	return nil
}

// pairs returns the samples that are finite in both slices, and the number of
// those that are finite in one.
func pairs(a, b []float64) (x, y []float64, unpaired int) {
	for i := range max(len(a), len(b)) {
		inA, inB := i < len(a) && finite(a[i]), i < len(b) && finite(b[i])
		switch {
		case inA && inB:
			x, y = append(x, a[i]), append(y, b[i])
		case inA || inB:
			unpaired++
		}
	}
	return x, y, unpaired
}

// ComparePercentile is Compare for the p-th percentile: Ratio is that of a over
// that of b, both over the pairs. Its interval resamples trials, each with its
// pairs; there is none with fewer than five of them.
func ComparePercentile(a, b [][]float64, p float64, seed uint64) Comparison {
	var c Comparison
	var above, below [][]float64
	for t := range max(len(a), len(b)) {
		x, y, unpaired := pairs(trial(a, t), trial(b, t))
		c.Pairs += len(x)
		c.Unpaired += unpaired
		if len(x) > 0 {
			above, below = append(above, x), append(below, y)
		}
	}
	// ratio is that of trials, each as often as it is named.
	ratio := func(trials []int) float64 {
		var x, y []float64
		for _, t := range trials {
			x, y = append(x, above[t]...), append(y, below[t]...)
		}
		slices.Sort(x)
		slices.Sort(y)
		return Percentile(x, p) / Percentile(y, p)
	}
	drawn := make([]int, len(above))
	for t := range drawn {
		drawn[t] = t
	}
	if c.Ratio = ratio(drawn); !finite(c.Ratio) {
		c.Ratio = math.NaN()
	}
	if len(above) < MinTrials || !finite(c.Ratio) {
		c.Interval = noInterval("too few trials for an interval of a percentile")
		return c
	}
	source := rand.NewPCG(seed, 0x666c6f777477696e)
	var ratios []float64
	for range resamples {
		for i := range drawn {
			drawn[i] = uniform(len(above), source.Uint64())
		}
		if r := ratio(drawn); finite(r) {
			ratios = append(ratios, r)
		}
	}
	slices.Sort(ratios)
	tail := expandedTail(len(above))
	c.Interval = Interval{
		Lo: min(c.Ratio, Percentile(ratios, 100*tail)), Hi: max(c.Ratio, Percentile(ratios, 100*(1-tail))),
		Method: Trials, Units: len(above), Warnings: trialsWarning(len(above)),
	}
	return c
}
