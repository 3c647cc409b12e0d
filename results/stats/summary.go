package stats

import (
	"math"
	"slices"
)

// Summary describes one metric at one point of a scenario.
type Summary struct {
	// N is the number of finite samples; all else is about them.
	N int
	// Missing is the number of samples that were NaN or infinite.
	Missing int
	// Mean is the mean over all samples of all trials, NaN without samples.
	Mean float64
	// Interval is the 95 % interval of the mean.
	Interval Interval
	// Min and Max are the smallest and largest sample, the others are
	// percentiles; NaN without samples. Whether N is enough for a percentile,
	// [Supported] says.
	Min, P50, P90, P95, P99, Max float64
}

// Summarize summarises samples by trial, each trial's in order of time. The
// interval is over trials if five or more have samples ([MinTrials]), else over
// blocks of samples if there are ten samples or more ([MinSamplesForBlocks]),
// else there is none. Over trials, whole trials are resampled and the mean is
// taken over all their samples, so that the interval is one of the mean that
// is reported; samples within a trial are not resampled again, because how far
// trials differ already shows what happens within them.
//
// The order of trials does not matter but for rounding. Within a trial it matters only for an
// interval over blocks.
func Summarize(trials [][]float64, seed uint64) Summary {
	trials, missing := finiteTrials(trials)
	all := slices.Concat(trials...)
	s := Summary{N: len(all), Missing: missing, Mean: mean(trials), Interval: meanInterval(trials, seed)}
	slices.Sort(all)
	s.Min, s.Max = Percentile(all, 0), Percentile(all, 100)
	s.P50, s.P90, s.P95, s.P99 = Percentile(all, 50), Percentile(all, 90), Percentile(all, 95), Percentile(all, 99)
	return s
}

// meanInterval returns the interval of the mean of finite samples in non-empty
// trials. It works on deviations from the mean, so that large values lose no
// digits.
func meanInterval(trials [][]float64, seed uint64) Interval {
	center := mean(trials)
	n := 0
	residuals := make([][]float64, len(trials))
	for i, t := range trials {
		n += len(t)
		residuals[i] = make([]float64, len(t))
		for j, x := range t {
			residuals[i][j] = x - center
		}
	}
	interval := interval(n, residuals, ones(residuals), residuals, seed)
	if interval.Method == None {
		return interval
	}
	// The mean lies inside but for rounding, when all samples are equal.
	interval.Lo, interval.Hi = center+min(interval.Lo, 0), center+max(interval.Hi, 0)
	return interval
}

// interval returns the interval of Σ above / Σ below over n samples in
// non-empty trials. The residuals choose the length of blocks.
func interval(n int, above, below, residuals [][]float64, seed uint64) Interval {
	var draw pick
	out := Interval{}
	switch {
	case len(above) >= MinTrials:
		trials := make([]part, len(above))
		for i := range above {
			trials[i] = part{sum(above[i]), sum(below[i])}
		}
		draw = pickTrial(trials)
		out.Method, out.Units, out.Warnings = Trials, len(trials), trialsWarning(len(trials))
	case n >= MinSamplesForBlocks:
		trials := make([]series, len(above))
		for i := range above {
			trials[i] = newSeries(above[i], below[i])
		}
		out.Method, out.BlockLength = Blocks, blockLength(residuals)
		out.Units = n / out.BlockLength
		draw = pickBlock(trials, out.BlockLength)
		out.Warnings = blocksWarnings(len(trials), out.Units)
	default:
		return noInterval("too few samples and trials for an interval")
	}
	var usable float64
	out.Lo, out.Hi, usable = bootstrapRatio(out.Units, draw, seed)
	if !finite(out.Lo) || !finite(out.Hi) || usable < confidence {
		return noInterval("the samples span too much for an interval")
	}
	return out
}

// finiteTrials returns the finite samples of each trial that has any, and how
// many were not finite.
func finiteTrials(trials [][]float64) (kept [][]float64, missing int) {
	for _, t := range trials {
		var some []float64
		if slices.ContainsFunc(t, func(x float64) bool { return !finite(x) }) {
			for _, x := range t {
				if finite(x) {
					some = append(some, x)
				}
			}
		} else {
			some = t
		}
		missing += len(t) - len(some)
		if len(some) > 0 {
			kept = append(kept, some)
		}
	}
	return kept, missing
}

func finite(x float64) bool { return !math.IsNaN(x) && !math.IsInf(x, 0) }

// mean returns the mean over the samples of all trials, NaN if there are none.
func mean(trials [][]float64) float64 {
	total, n := 0.0, 0
	for _, t := range trials {
		total += sum(t)
		n += len(t)
	}
	if finite(total) {
		return total / float64(n)
	}
	total = 0 // the sum overflowed, the mean does not
	for _, t := range trials {
		for _, x := range t {
			total += x / float64(n)
		}
	}
	return total
}

func sum(samples []float64) float64 {
	total := 0.0
	for _, x := range samples {
		total += x
	}
	return total
}

// ones returns slices of ones in the shape of trials.
func ones(trials [][]float64) [][]float64 {
	out := make([][]float64, len(trials))
	for i, t := range trials {
		out[i] = slices.Repeat([]float64{1}, len(t))
	}
	return out
}
