package stats

import (
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func TestPercentileIsTheNearestRank(t *testing.T) {
	fifth := []float64{15, 20, 35, 40, 50}
	var hundred []float64
	for i := range 100 {
		hundred = append(hundred, float64(i+1))
	}
	for _, c := range []struct {
		name   string
		sorted []float64
		p      float64
		want   float64
	}{
		{"the smallest", fifth, 0, 15},
		{"any percentile up to 20 is the first of five", fifth, 20, 15},
		{"just above goes to the next", fifth, 20.001, 20},
		{"30", fifth, 30, 20},
		{"40", fifth, 40, 20},
		{"the median of five", fifth, 50, 35},
		{"the largest", fifth, 100, 50},
		{"the lower median of four", []float64{1, 2, 3, 4}, 50, 2},
		{"one sample is every percentile", []float64{7}, 99, 7},
		{"7 of 100 despite rounding", hundred, 7, 7},
		{"p99 of 100", hundred, 99, 99},
		{"p99.9 of 100", hundred, 99.9, 100},
		{"p99 of twelve is their maximum", []float64{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}, 99, 12},
	} {
		if got := Percentile(c.sorted, c.p); got != c.want {
			t.Errorf("%s: got %v, want %v", c.name, got, c.want)
		}
	}
}

func TestPercentileOfNothingIsNaN(t *testing.T) {
	for _, p := range []float64{-1, 100.1, math.NaN(), math.Inf(1)} {
		if got := Percentile([]float64{1, 2}, p); !math.IsNaN(got) {
			t.Errorf("percentile %v: got %v, want NaN", p, got)
		}
	}
	if got := Percentile(nil, 50); !math.IsNaN(got) {
		t.Errorf("no samples: got %v, want NaN", got)
	}
}

func TestPercentileOfManySamplesIsExactAtEveryRank(t *testing.T) {
	const n = 9999
	sorted := make([]float64, n)
	for i := range sorted {
		sorted[i] = float64(i + 1)
	}
	for rank := 1; rank <= n; rank++ {
		p := 100 * float64(rank) / n
		if got := Percentile(sorted, p); got != float64(rank) {
			t.Fatalf("percentile %v: got rank %v, want %d", p, got, rank)
		}
	}
}

func TestMinSamplesOfPercentiles(t *testing.T) {
	for _, c := range []struct {
		p    float64
		want int
	}{
		{50, 1}, {75, 11}, {90, 29}, {95, 59}, {99, 299}, {99.9, 2995},
		{10, 29}, {1, 299},
		{0, 0}, {100, 0}, {-3, 0}, {120, 0}, {math.NaN(), 0},
	} {
		if got := MinSamples(c.p); got != c.want {
			t.Errorf("p%v: got %d, want %d", c.p, got, c.want)
		}
	}
}

func TestSupportedChangesAtMinSamples(t *testing.T) {
	for _, p := range []float64{50, 90, 95, 99} {
		n := MinSamples(p)
		if Supported(p, n-1) || !Supported(p, n) {
			t.Errorf("p%v: supported(%d) = %v, supported(%d) = %v", p, n-1, Supported(p, n-1), n, Supported(p, n))
		}
	}
	if Supported(100, 1<<40) {
		t.Error("no number of samples supports the 100th percentile")
	}
}

func TestThinKeepsEverySampleOfASmallTable(t *testing.T) {
	got := Thin([]float64{1, 2, 2, 5}, 500)
	want := []CumulativePoint{{1, 0.25}, {2, 0.5}, {2, 0.75}, {5, 1}}
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestThinnedSampleStaysCloseToTheWhole(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		samples := rapid.SliceOf(rapid.Float64Range(-1e6, 1e6)).Draw(t, "samples")
		limit := rapid.IntRange(-1, 60).Draw(t, "limit")
		slices.Sort(samples)
		points := Thin(samples, limit)
		if len(samples) == 0 {
			if len(points) != 0 {
				t.Fatalf("got %d points of nothing", len(points))
			}
			return
		}
		if len(points) > max(limit, 2) {
			t.Fatalf("got %d points, limit %d", len(points), limit)
		}
		first, last := points[0], points[len(points)-1]
		if first.Value != samples[0] || last.Value != samples[len(samples)-1] || last.Share != 1 {
			t.Fatalf("ends are %v and %v", first, last)
		}
		step := 1/float64(max(limit, 2)-1) + 1/float64(len(samples)) + 1e-9
		for i, p := range points {
			rank := int(math.Round(p.Share * float64(len(samples))))
			if samples[rank-1] != p.Value {
				t.Fatalf("point %v is not on the distribution", p)
			}
			if i > 0 && len(points) < len(samples) && p.Share-points[i-1].Share > step {
				t.Fatalf("step from %v to %v is over %v", points[i-1], p, step)
			}
		}
	})
}
