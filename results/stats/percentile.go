package stats

import "math"

// Percentile returns the p-th percentile (p from 0 to 100) of samples that are
// sorted in ascending order: the smallest sample with at least p % of all
// samples at or below it (nearest rank; p = 0 is the smallest sample). It is
// always one of the samples, never an interpolation, so it stays an order
// statistic, which is what [Supported] reasons about. It is NaN without
// samples or if p is not within 0 to 100.
func Percentile(sorted []float64, p float64) float64 {
	if len(sorted) == 0 || !(p >= 0 && p <= 100) {
		return math.NaN()
	}
	return sorted[Rank(len(sorted), p)]
}

// Rank returns the index of the p-th percentile (p from 0 to 100) among n
// sorted samples, n above 0; see [Percentile].
func Rank(n int, p float64) int {
	// The small allowance undoes rounding in p (99.9 is not a binary number).
	return max(int(math.Ceil(p*float64(n)/100-1e-9)), 1) - 1
}

// MinSamples returns the smallest number of samples that support the p-th
// percentile (p from 0 to 100). It is 1 for the median. For a higher
// percentile it is the smallest n whose largest sample is, with 95 %
// confidence, at or above the percentile of the population, whatever its
// distribution: 1 - (p/100)^n ≥ 0.95. Below the median the same holds for the
// smallest sample. So p90 needs 29 samples, p95 59, p99 299 and p99.9 2995.
// It is 0 if no number is enough: for p = 0 and 100, and outside of that range.
func MinSamples(p float64) int {
	tail := max(p, 100-p)
	switch {
	case !(tail < 100): // also NaN
		return 0
	case tail == 50:
		return 1
	}
	return int(math.Ceil(math.Log(0.05) / math.Log(tail/100)))
}

// Supported reports whether n samples are enough to state the p-th percentile;
// see [MinSamples].
func Supported(p float64, n int) bool {
	need := MinSamples(p)
	return need > 0 && n >= need
}

// CumulativePoint is one point of an empirical distribution: the share of all
// samples (0 to 1) that are at or below Value.
type CumulativePoint struct {
	Value, Share float64
}

// Thin returns points of the empirical distribution of samples that are sorted
// in ascending order, for drawing it: one for each sample if there are at most
// limit, else limit points at equal steps of the share. The first and the last
// sample are always among them, so the tail ends where it ends, and the share
// between two neighbouring points is at most 1/(limit-1) and one sample. A
// limit below 2 counts as 2.
func Thin(sorted []float64, limit int) []CumulativePoint {
	n := len(sorted)
	k := min(n, max(limit, 2))
	points := make([]CumulativePoint, k)
	for i := range points {
		at := 0
		if k > 1 {
			at = int(math.Round(float64(i) * float64(n-1) / float64(k-1)))
		}
		points[i] = CumulativePoint{sorted[at], float64(at+1) / float64(n)}
	}
	return points
}
