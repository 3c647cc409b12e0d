package stats

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

var missing = math.NaN()

func TestCompareTakesOnlyPairs(t *testing.T) {
	for _, c := range []struct {
		name            string
		a, b            [][]float64
		pairs, unpaired int
		ratio           float64
	}{
		{"all paired", [][]float64{{2, 4}, {6}}, [][]float64{{1, 1}, {2}}, 3, 0, 3},
		{"one timed out under a", [][]float64{{2, missing}, {6}}, [][]float64{{1, 1}, {2}}, 2, 1, 8.0 / 3},
		{"missing under both is no invocation", [][]float64{{2, missing}}, [][]float64{{1, missing}}, 1, 0, 2},
		{"b ended early", [][]float64{{2, 4, 6}}, [][]float64{{1}}, 1, 2, 2},
		{"b has a trial more", [][]float64{{2}}, [][]float64{{1}, {5, 5}}, 1, 2, 2},
		{"no pair", [][]float64{{2}}, nil, 0, 1, math.NaN()},
		{"nothing to divide by", [][]float64{{2}}, [][]float64{{0}}, 1, 0, math.NaN()},
		{"a negative mean to divide by", [][]float64{{2}}, [][]float64{{-1}}, 1, 0, math.NaN()},
	} {
		got := Compare(c.a, c.b, 1)
		same := got.Ratio == c.ratio || math.IsNaN(got.Ratio) && math.IsNaN(c.ratio)
		if got.Pairs != c.pairs || got.Unpaired != c.unpaired || !same {
			t.Errorf("%s: got %d pairs, %d unpaired, ratio %v; want %d, %d, %v",
				c.name, got.Pairs, got.Unpaired, got.Ratio, c.pairs, c.unpaired, c.ratio)
		}
	}
}

func TestPairsCancelWhatBothSchedulersShare(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 0))
	var a, b [][]float64
	for range 3 {
		shared := autoregressive(r, 400, 10, 0.8)
		x, y := make([]float64, 400), make([]float64, 400)
		for i, s := range shared {
			x[i], y[i] = 2*s, s+0.01*r.NormFloat64()
		}
		a, b = append(a, x), append(b, y)
	}
	pair := Compare(a, b, 1)
	single := Summarize(a, 1).Interval
	if math.Abs(pair.Ratio-2) > 0.01 || pair.Interval.Method != Blocks {
		t.Fatalf("got %+v", pair)
	}
	relative := (single.Hi - single.Lo) / Summarize(a, 1).Mean
	if width := (pair.Interval.Hi - pair.Interval.Lo) / 2; width > relative/10 {
		t.Errorf("the ratio is known to ±%.2g, one mean to ±%.2g: pairing gains nothing", width/2, relative/2)
	}
}

func TestRatioIntervalCoversTheTrueRatio(t *testing.T) {
	const experiments, truth = 150, 1.5
	for _, trials := range []int{1, 6} {
		r := rand.New(rand.NewPCG(10, uint64(trials)))
		got := coverage(truth, experiments, func(i int) Interval {
			var a, b [][]float64
			for range trials {
				a = append(a, autoregressive(r, 300/trials, 15, 0.6))
				b = append(b, autoregressive(r, 300/trials, 10, 0.6))
			}
			return Compare(a, b, uint64(i)).Interval
		})
		t.Logf("%d trials cover %.3f", trials, got)
		if got < 0.88 || got > 0.99 {
			t.Errorf("%d trials cover %.3f, want about 0.95", trials, got)
		}
	}
}

func TestManyUnpairedInvocationsAreAWarning(t *testing.T) {
	a := [][]float64{{1, 1, 1, 1, 1, 1, 1, 1, 1, 1, missing, missing}}
	b := [][]float64{{1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 60, 60}}
	got := Compare(a, b, 1)
	if text := strings.Join(got.Interval.Warnings, "\n"); !strings.Contains(text, "2 invocations were measured under one scheduler only") {
		t.Errorf("warnings: %q", text)
	}
}

func TestComparisonKeepsItsPromisesForAnyInput(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := trialsOf(anyFloat()).Draw(t, "a"), trialsOf(anyFloat()).Draw(t, "b")
		c := Compare(a, b, rapid.Uint64().Draw(t, "seed"))
		if in := c.Interval; in.Method != None && !(in.Lo <= c.Ratio && c.Ratio <= in.Hi) {
			t.Fatalf("ratio %v outside of its interval %+v", c.Ratio, in)
		}
		if back := Compare(b, a, 1); back.Pairs != c.Pairs || back.Unpaired != c.Unpaired {
			t.Fatalf("%+v one way, %+v the other", c, back)
		}
		if self := Compare(a, a, 1); self.Unpaired != 0 || !(math.IsNaN(self.Ratio) || self.Ratio == 1) {
			t.Fatalf("compared with itself: %+v", self)
		}
	})
}

func TestPercentilesInPairs(t *testing.T) {
	var a, b [][]float64
	for trial := range 6 {
		var x, y []float64
		for i := range 50 {
			v := float64(1 + (i*7+trial)%50)
			x, y = append(x, 2*v), append(y, v)
		}
		a, b = append(a, x), append(b, y)
	}
	c := ComparePercentile(a, b, 99, 1)
	// Pair by pair a is twice b, and so is each resample: nothing is uncertain.
	if c.Ratio != 2 || c.Interval.Lo != 2 || c.Interval.Hi != 2 || c.Pairs != 300 || c.Interval.Method != Trials {
		t.Errorf("the comparison is %+v", c)
	}
	a[0][3] = math.NaN() // one that timed out
	a[1][0] = 500
	c = ComparePercentile(a, b, 100, 1)
	if c.Ratio != 10 || c.Pairs != 299 || c.Unpaired != 1 || !(c.Interval.Lo < 10 && c.Interval.Hi == 10) {
		t.Errorf("with an outlier in one trial the comparison is %+v", c)
	}
	if c := ComparePercentile(a[:4], b[:4], 99, 1); c.Interval.Method != None || !math.IsNaN(c.Interval.Lo) {
		t.Errorf("four trials give the interval %+v", c.Interval)
	}
	if c := ComparePercentile(nil, b, 99, 1); c.Pairs != 0 || !math.IsNaN(c.Ratio) {
		t.Errorf("without pairs the comparison is %+v", c)
	}
}
