package stats

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// autoregressive returns n samples of x(i) = phi·x(i-1) + noise around mean.
func autoregressive(r *rand.Rand, n int, mean, phi float64) []float64 {
	out := make([]float64, n)
	x := r.NormFloat64() / math.Sqrt(1-phi*phi)
	for i := range out {
		out[i] = mean + x
		x = phi*x + r.NormFloat64()
	}
	return out
}

// coverage is the share of experiments whose interval contains the truth.
func coverage(truth float64, experiments int, interval func(i int) Interval) float64 {
	hits := 0
	for i := range experiments {
		if in := interval(i); in.Lo <= truth && truth <= in.Hi {
			hits++
		}
	}
	return float64(hits) / float64(experiments)
}

// singles returns the interval that resamples single samples, as if they were
// independent.
func singles(r *rand.Rand, samples []float64) Interval {
	means := make([]float64, 100)
	for i := range means {
		for range samples {
			means[i] += samples[r.IntN(len(samples))]
		}
		means[i] /= float64(len(samples))
	}
	slices.Sort(means)
	return Interval{Lo: Percentile(means, 2.5), Hi: Percentile(means, 97.5)}
}

func TestBlocksCoverTheMeanOfACorrelatedSeriesAndSingleSamplesDoNot(t *testing.T) {
	const experiments, n, truth = 150, 800, 10.0
	for _, c := range []struct {
		phi         float64
		blocksCover float64 // at least
		iidCovers   float64 // at most
	}{
		{0.0, 0.92, 1.00},
		{0.8, 0.86, 0.55},
	} {
		r := rand.New(rand.NewPCG(1, uint64(100*c.phi)))
		var runs [][]float64
		for range experiments {
			runs = append(runs, autoregressive(r, n, truth, c.phi))
		}
		blocks := coverage(truth, experiments, func(i int) Interval {
			return Summarize(runs[i:i+1], uint64(i)).Interval
		})
		iid := coverage(truth, experiments, func(i int) Interval {
			return singles(r, runs[i])
		})
		t.Logf("AR(1) %.1f: blocks cover %.3f, single samples %.3f", c.phi, blocks, iid)
		if blocks < c.blocksCover || iid > c.iidCovers {
			t.Errorf("AR(1) %.1f: blocks cover %.3f (want ≥ %.2f), single samples %.3f (want ≤ %.2f)",
				c.phi, blocks, c.blocksCover, iid, c.iidCovers)
		}
	}
}

func TestTrialsCoverTheMeanEvenIfThereAreFewAndTheyDiffer(t *testing.T) {
	const experiments, truth = 200, 3.0
	for _, trials := range []int{5, 8, 20} {
		r := rand.New(rand.NewPCG(2, uint64(trials)))
		got := coverage(truth, experiments, func(i int) Interval {
			var samples [][]float64
			for range trials {
				samples = append(samples, autoregressive(r, 60, truth+r.NormFloat64()/2, 0.7))
			}
			in := Summarize(samples, uint64(i)).Interval
			if in.Method != Trials || in.Units != trials {
				t.Fatalf("interval is over %d %s, want %d trials", in.Units, in.Method, trials)
			}
			return in
		})
		t.Logf("%d trials cover %.3f", trials, got)
		if got < 0.91 || got > 0.985 {
			t.Errorf("%d trials cover %.3f, want about 0.95", trials, got)
		}
	}
}

func TestMethodFollowsTrialsAndSamples(t *testing.T) {
	for _, c := range []struct {
		name    string
		lengths []int
		method  Method
		units   int
		block   int
	}{
		{"five trials of one number", []int{1, 1, 1, 1, 1}, Trials, 5, 0},
		{"five trials, one empty, few samples", []int{1, 1, 1, 1, 0}, None, 0, 0},
		{"four trials", []int{30, 30, 30, 30}, Blocks, 24, 5},
		{"one trial of ten samples", []int{10}, Blocks, 10, 1},
		{"one trial of nine samples", []int{9}, None, 0, 0},
		{"one trial of twelve requests", []int{12}, Blocks, 12, 1},
		{"a long trial has 250 blocks", []int{1_000_000}, Blocks, 250, 4000},
		{"nothing", nil, None, 0, 0},
	} {
		r := rand.New(rand.NewPCG(3, 0))
		var trials [][]float64
		for _, n := range c.lengths {
			trials = append(trials, autoregressive(r, n, 1, 0))
		}
		in := Summarize(trials, 1).Interval
		if in.Method != c.method || in.Units != c.units || in.BlockLength != c.block {
			t.Errorf("%s: got %s, %d units, blocks of %d; want %s, %d, %d",
				c.name, in.Method, in.Units, in.BlockLength, c.method, c.units, c.block)
		}
		if c.method == None != math.IsNaN(in.Lo) || c.method == None && len(in.Warnings) == 0 {
			t.Errorf("%s: %+v", c.name, in)
		}
	}
}

func TestBlocksGrowWithCorrelation(t *testing.T) {
	r := rand.New(rand.NewPCG(4, 0))
	last := 0
	for _, c := range []struct {
		phi      float64
		atLeast  int
		atMost   int
		whatElse string
	}{
		{0, 10, 12, "n^(1/3)"},
		{0.5, 13, 18, ""},
		{0.9, 45, 60, "(√6·0.9/0.19)^(2/3)·10 = 51"},
		{0.999, 100, 100, "n/10"},
	} {
		in := Summarize([][]float64{autoregressive(r, 1000, 0, c.phi)}, 1).Interval
		if in.BlockLength < c.atLeast || in.BlockLength > c.atMost || in.BlockLength < last {
			t.Errorf("AR(1) %v: blocks of %d, want %d to %d %s", c.phi, in.BlockLength, c.atLeast, c.atMost, c.whatElse)
		}
		last = in.BlockLength
	}
}

func TestBlocksStayWithinTheirTrialAndDrawEverySampleEquallyOften(t *testing.T) {
	trials := [][]float64{{1, 10, 100}, {1000, 10000, 100000, 1e6, 1e7}, {1e8}}
	var all []series
	for _, x := range trials {
		all = append(all, newSeries(x, slices.Repeat([]float64{1}, len(x))))
	}
	const length, n = 4, 9
	draw := pickBlock(all, length)
	var total part
	for start := range n {
		word := uint64((float64(start) + 0.5) / n * (1 << 63) * 2)
		p := draw(word)
		if p.below != length {
			t.Errorf("block from sample %d has %v samples, want %d", start, p.below, length)
		}
		total.above += p.above
	}
	if want := length * 111111111.0; total.above != want {
		t.Errorf("all blocks together sum to %v, want each sample %d times: %v", total.above, length, want)
	}
	if p := draw(0); p.above != 1+10+100+1 {
		t.Errorf("the first block sums to %v; it must go round in its own trial", p.above)
	}
}

func TestSummaryOfASmallTable(t *testing.T) {
	s := Summarize([][]float64{{4, math.NaN(), 1}, {3, 2, math.Inf(1)}, {math.Inf(-1)}}, 1)
	if s.N != 4 || s.Missing != 3 || s.Mean != 2.5 || s.Min != 1 || s.Max != 4 || s.P50 != 2 || s.P90 != 4 {
		t.Errorf("got %+v", s)
	}
}

func TestSummaryIsTheSameForTheSameSeed(t *testing.T) {
	samples := [][]float64{autoregressive(rand.New(rand.NewPCG(5, 5)), 500, 20, 0.5)}
	first, again, other := Summarize(samples, 7).Interval, Summarize(samples, 7).Interval, Summarize(samples, 8).Interval
	if first.Lo != again.Lo || first.Hi != again.Hi {
		t.Errorf("same seed: %v and %v", first, again)
	}
	if first.Lo == other.Lo && first.Hi == other.Hi {
		t.Error("another seed gives the same resamples")
	}
}

// A change of these numbers changes every report: it needs a reason.
func TestGoldenIntervals(t *testing.T) {
	ramp := make([]float64, 100) // 0, 7, 14, ... modulo 100
	for i := range ramp {
		ramp[i] = float64(i * 7 % 100)
	}
	trials := [][]float64{{1, 2}, {2, 2}, {3}, {2, 4}, {1}, {5, 3, 1}}
	for _, c := range []struct {
		name   string
		got    Interval
		lo, hi float64
	}{
		{"blocks", Summarize([][]float64{ramp}, 1).Interval, 42.0505, 57.1515},
		{"trials", Summarize(trials, 1).Interval, 1.4286, 3},
		{"pairs over trials", Compare(trials, [][]float64{{1, 1}, {1, 1}, {1}, {1, 2}, {1}, {2, 2, 1}}, 1).Interval, 1.4, 2.375},
	} {
		if math.Abs(c.got.Lo-c.lo) > 0.0001 || math.Abs(c.got.Hi-c.hi) > 0.0001 {
			t.Errorf("%s: got %.4f to %.4f, want %.4f to %.4f", c.name, c.got.Lo, c.got.Hi, c.lo, c.hi)
		}
	}
}

func TestWarningsNameTheDoubt(t *testing.T) {
	r := rand.New(rand.NewPCG(6, 0))
	five := [][]float64{{1}, {2}, {3}, {4}, {5}}
	for _, c := range []struct {
		name     string
		warnings []string
		want     string
	}{
		{"few trials", Summarize(five, 1).Interval.Warnings, "only 5 trials"},
		{"one trial", Summarize([][]float64{autoregressive(r, 500, 1, 0)}, 1).Interval.Warnings, "does not show how trials differ"},
		{"few blocks", Summarize([][]float64{autoregressive(r, 500, 1, 0.99)}, 1).Interval.Warnings, "blocks: the interval is coarse"},
		{"too little", Summarize([][]float64{{1}}, 1).Interval.Warnings, "too few"},
	} {
		if !strings.Contains(strings.Join(c.warnings, "\n"), c.want) {
			t.Errorf("%s: %q does not say %q", c.name, c.warnings, c.want)
		}
	}
}

func TestSummaryOfAMillionSamplesIsFast(t *testing.T) {
	samples := autoregressive(rand.New(rand.NewPCG(7, 0)), 1_000_000, 5, 0.9)
	start := time.Now()
	s := Summarize([][]float64{samples}, 1)
	if took := time.Since(start); took > 10*time.Second { // 0.2 s; much slower under the race detector
		t.Errorf("took %v", took)
	}
	if s.N != 1_000_000 || s.Interval.Method != Blocks {
		t.Errorf("got %+v", s)
	}
}

func BenchmarkSummarizeMillion(b *testing.B) {
	samples := [][]float64{autoregressive(rand.New(rand.NewPCG(7, 0)), 1_000_000, 5, 0.9)}
	for b.Loop() {
		Summarize(samples, 1)
	}
}

// anyFloat is any float there is, special ones often.
func anyFloat() *rapid.Generator[float64] {
	return rapid.OneOf(rapid.Float64(), rapid.Float64Range(-1, 1),
		rapid.SampledFrom([]float64{0, math.NaN(), math.Inf(1), math.Inf(-1), math.MaxFloat64, -math.MaxFloat64, 5e-324, 1e-9, 1e9}))
}

func trialsOf(samples *rapid.Generator[float64]) *rapid.Generator[[][]float64] {
	return rapid.SliceOfN(rapid.SliceOfN(samples, 0, 30), 0, 8)
}

func TestSummaryKeepsItsPromisesForAnyInput(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		trials := trialsOf(anyFloat()).Draw(t, "trials")
		s := Summarize(trials, rapid.Uint64().Draw(t, "seed"))
		total := 0
		for _, x := range trials {
			total += len(x)
		}
		if s.N+s.Missing != total {
			t.Fatalf("%d and %d missing of %d", s.N, s.Missing, total)
		}
		if s.N == 0 {
			if !math.IsNaN(s.Mean) || !math.IsNaN(s.Min) || s.Interval.Method != None {
				t.Fatalf("summary of nothing: %+v", s)
			}
			return
		}
		if !slices.IsSorted([]float64{s.Min, s.P50, s.P90, s.P95, s.P99, s.Max}) {
			t.Fatalf("percentiles fall: %+v", s)
		}
		if slack := 1e-9 * max(math.Abs(s.Min), math.Abs(s.Max)); s.Mean < s.Min-slack || s.Mean > s.Max+slack {
			t.Fatalf("mean %v outside of %v to %v", s.Mean, s.Min, s.Max)
		}
		if in := s.Interval; in.Method != None && !(in.Lo <= s.Mean && s.Mean <= in.Hi) {
			t.Fatalf("mean %v outside of its interval %+v", s.Mean, in)
		}
	})
}

func TestOrderDoesNotMatterWhereItShouldNot(t *testing.T) {
	close := func(a, b float64) bool { return math.Abs(a-b) <= 1e-9*(1+math.Abs(a)) }
	rapid.Check(t, func(t *rapid.T) {
		trials := rapid.SliceOfN(rapid.SliceOfN(rapid.Float64Range(-100, 100), 1, 20), 5, 9).Draw(t, "trials")
		shuffled := make([][]float64, len(trials))
		for i, from := range rapid.Permutation(indices(len(trials))).Draw(t, "order of trials") {
			shuffled[i] = rapid.Permutation(trials[from]).Draw(t, "order of samples")
		}
		a, b := Summarize(trials, 1), Summarize(shuffled, 1)
		if a.Min != b.Min || a.P50 != b.P50 || a.P90 != b.P90 || a.P95 != b.P95 || a.P99 != b.P99 || a.Max != b.Max {
			t.Fatalf("percentiles differ: %+v, %+v", a, b)
		}
		if !close(a.Mean, b.Mean) || !close(a.Interval.Lo, b.Interval.Lo) || !close(a.Interval.Hi, b.Interval.Hi) {
			t.Fatalf("mean or interval differ: %+v, %+v", a, b)
		}
	})
}

func indices(n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = i
	}
	return out
}

func TestShiftAndScaleOfSamplesShiftAndScaleTheInterval(t *testing.T) {
	r := rand.New(rand.NewPCG(8, 0))
	samples := autoregressive(r, 300, 5, 0.6)
	moved := make([]float64, len(samples))
	for i, x := range samples {
		moved[i] = 1e9 + 4*x
	}
	a, b := Summarize([][]float64{samples}, 1).Interval, Summarize([][]float64{moved}, 1).Interval
	if math.Abs(1e9+4*a.Lo-b.Lo) > 1e-4 || math.Abs(1e9+4*a.Hi-b.Hi) > 1e-4 {
		t.Errorf("interval %v to %v became %v to %v", a.Lo, a.Hi, b.Lo, b.Hi)
	}
}
