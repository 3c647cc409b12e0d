package stats

import (
	"cmp"
	"fmt"
	"math"
	"math/bits"
	"math/rand/v2"
	"slices"

	"gonum.org/v1/gonum/stat/distuv"
)

// Method says what an interval resampled.
type Method string

// The methods, from the best to none.
const (
	// Trials: whole trials were drawn, as many as there are. Whatever is
	// correlated within a trial stays together.
	Trials Method = "trials"
	// Blocks: blocks of consecutive samples were drawn, because there are
	// fewer than five trials.
	Blocks Method = "blocks"
	// None: there are too few samples for an interval; its ends are NaN.
	None Method = "none"
)

// Limits of the bootstrap.
const (
	// MinTrials is the number of trials from which on trials are resampled.
	MinTrials = 5
	// MinSamplesForBlocks is the number of samples below which there is no
	// interval over blocks.
	MinSamplesForBlocks = 10

	confidence = 0.95
	resamples  = 4000
	// minBlocks keeps blocks short enough to leave something to resample.
	minBlocks = 10
	// maxBlocks makes blocks longer in long series. Longer blocks carry no
	// more bias; 250 of them still give the width of an interval to 5 %, and
	// the time of a bootstrap no longer depends on the length of the series.
	maxBlocks = 250
)

// Interval is a 95 % confidence interval by bootstrap.
type Interval struct {
	// Lo and Hi are the ends, NaN if Method is None.
	Lo, Hi float64
	// Method says what was resampled.
	Method Method
	// Units is the number of trials, or how many blocks fit into the samples.
	Units int
	// BlockLength is the number of samples in a block, 0 unless Method is
	// Blocks.
	BlockLength int
	// Warnings are reasons to trust the interval less, in plain English.
	Warnings []string
}

func noInterval(warning string) Interval {
	return Interval{Lo: math.NaN(), Hi: math.NaN(), Method: None, Warnings: []string{warning}}
}

// part is what one trial or block adds to a ratio of sums. A mean is the ratio
// of the sum of samples to their number.
type part struct{ above, below float64 }

// pick returns the part that is drawn for a uniform random word.
type pick func(word uint64) part

// bootstrapRatio returns the ends of the interval of Σ above / Σ below over
// parts drawn with replacement, units at a time. Only resamples with a positive
// denominator count; usable is their share.
//
// The ends are percentiles of the resampled ratios. Plain 2.5 and 97.5 % would
// give an interval that is too narrow by sqrt((n-1)/n) and by the difference
// between a normal and a t distribution, much for five trials. The levels are
// widened by both (the expanded percentile interval of T. Hesterberg, "What
// teachers should know about the bootstrap", 2015).
func bootstrapRatio(units int, draw pick, seed uint64) (lo, hi, usable float64) {
	source := rand.NewPCG(seed, 0x666c6f777477696e)
	ratios := make([]float64, 0, resamples)
	for range resamples {
		var sum part
		for range units {
			p := draw(source.Uint64())
			sum.above += p.above
			sum.below += p.below
		}
		if ratio := sum.above / sum.below; sum.below > 0 && finite(ratio) {
			ratios = append(ratios, ratio)
		}
	}
	slices.Sort(ratios)
	tail := expandedTail(units)
	lo, hi = Percentile(ratios, 100*tail), Percentile(ratios, 100*(1-tail))
	return lo, hi, float64(len(ratios)) / resamples
}

// expandedTail returns the share to cut off at each end of a bootstrap
// distribution of n independent units.
func expandedTail(n int) float64 {
	t := distuv.StudentsT{Sigma: 1, Nu: float64(n - 1)}.Quantile(1 - (1-confidence)/2)
	return distuv.UnitNormal.CDF(-t * math.Sqrt(float64(n)/float64(n-1)))
}

// uniform returns a number in [0, n) from a uniform random word.
func uniform(n int, word uint64) int {
	high, _ := bits.Mul64(word, uint64(n))
	return int(high)
}

// pickTrial draws whole trials.
func pickTrial(trials []part) pick {
	// Sorted, so that the order in which trials are listed does not matter.
	trials = slices.Clone(trials)
	slices.SortFunc(trials, func(a, b part) int {
		return cmp.Or(cmp.Compare(a.above, b.above), cmp.Compare(a.below, b.below))
	})
	return func(word uint64) part { return trials[uniform(len(trials), word)] }
}

// series is a trial as prefix sums, so that the sum of any block takes two
// look-ups. Entry i is the sum of the first i samples.
type series []part

func newSeries(above, below []float64) series {
	sums := make(series, len(above)+1)
	for i := range above {
		sums[i+1] = part{sums[i].above + above[i], sums[i].below + below[i]}
	}
	return sums
}

// pickBlock draws blocks of the given length out of all trials. Every sample
// is as likely to be drawn as any other: a block that runs past the end of its
// trial goes on at its beginning (circular blocks; Politis and Romano, 1992).
// A block is never made of two trials; in a trial shorter than the block it
// goes round more than once.
func pickBlock(trials []series, length int) pick {
	starts := make([]int, len(trials)+1) // starts[i] is the index of trial i's first sample
	for i, t := range trials {
		starts[i+1] = starts[i] + len(t) - 1
	}
	total := starts[len(trials)]
	return func(word uint64) part {
		at := uniform(total, word)
		i, found := slices.BinarySearch(starts, at)
		if !found {
			i--
		}
		t, from, n := trials[i], at-starts[i], starts[i+1]-starts[i]
		rounds, to := float64(length/n), from+length%n
		sum := part{rounds * t[n].above, rounds * t[n].below}
		sum.add(t, from, min(to, n))
		if to > n {
			sum.add(t, 0, to-n)
		}
		return sum
	}
}

// add adds the samples from..to-1 of a series.
func (p *part) add(t series, from, to int) {
	p.above += t[to].above - t[from].above
	p.below += t[to].below - t[from].below
}

// blockLength returns the length of blocks for residuals in order of time, one
// slice a trial: the longest of
//
//   - n^(1/3), which suits weak dependence;
//   - (√6·r/(1-r²))^(2/3)·n^(1/3) with r the correlation of neighbours, the
//     length that is best for the variance of the mean of an AR(1) series
//     (Carlstein 1986; Andrews 1991 gives the same for overlapping blocks);
//   - n/250;
//
// but at most n/10, so that ten blocks remain.
func blockLength(trials [][]float64) int {
	var n, own, neighbours float64
	for _, t := range trials {
		n += float64(len(t))
		for i, x := range t {
			own += x * x
			if i > 0 {
				neighbours += x * t[i-1]
			}
		}
	}
	length := math.Cbrt(n)
	if r := neighbours / own; r > 0 { // false for NaN: constant samples
		r = min(r, 0.99)
		length *= max(1, math.Pow(math.Sqrt(6)*r/(1-r*r), 2.0/3))
	}
	length = max(length, n/maxBlocks)
	return int(max(1, min(math.Ceil(length), math.Floor(n/minBlocks))))
}

// trialsWarning says how far an interval over n trials can be trusted.
func trialsWarning(n int) []string {
	if n < 10 {
		return []string{fmt.Sprintf("only %d trials: the interval is coarse", n)}
	}
	return nil
}

// blocksWarnings says how far an interval over blocks can be trusted.
func blocksWarnings(trials, blocks int) []string {
	warnings := []string{fmt.Sprintf("fewer than %d trials (%d): the interval is over blocks of samples and does not show how trials differ", MinTrials, trials)}
	if blocks < 2*minBlocks {
		warnings = append(warnings, fmt.Sprintf("only %d blocks: the interval is coarse, and too narrow if samples depend on each other for longer than a block", blocks))
	}
	return warnings
}
