package workflow_test

import (
	"math"
	"testing"

	"pgregory.net/rapid"

	"github.com/flowtwin/flowtwin/engine/workflow"
)

var distributions = []struct {
	name string
	d    workflow.Distribution
	sd   float64 // standard deviation
}{
	{"constant", workflow.Constant(7), 0},
	{"uniform", workflow.Distribution{Shape: workflow.ShapeUniform, A: 2, B: 10}, 8 / math.Sqrt(12)},
	{"exponential", workflow.Exponential(5), 5},
	{"normal", workflow.Distribution{Shape: workflow.ShapeNormal, A: 50, B: 5}, 5},
	{"normal without spread", workflow.Distribution{Shape: workflow.ShapeNormal, A: 50}, 0},
	{"lognormal", workflow.Distribution{Shape: workflow.ShapeLognormal, A: 10, B: 4}, 4},
	{"lognormal without spread", workflow.Distribution{Shape: workflow.ShapeLognormal, A: 10}, 0},
	{"pareto", workflow.Distribution{Shape: workflow.ShapePareto, A: 10, B: 6}, 10 * (5.0 / 6) * math.Sqrt(6.0/4) / 5},
	{"empirical", workflow.Distribution{Shape: workflow.ShapeEmpirical, Values: []float64{1, 1, 4}}, math.Sqrt2},
}

// The mean of the quantiles is the mean, and their spread is the spread.
func TestQuantilesHaveTheMeanThatMeanSays(t *testing.T) {
	const n = 3_000_000
	for _, test := range distributions {
		t.Run(test.name, func(t *testing.T) {
			if err := test.d.Check(); err != nil {
				t.Fatal(err)
			}
			sum, squares := 0.0, 0.0
			for i := range n {
				v := test.d.Quantile((float64(i)+0.5)/n, 0)
				sum += v
				squares += v * v
			}
			mean := sum / n
			if want := test.d.Mean(); math.Abs(mean-want) > 1e-4*want {
				t.Errorf("mean of the quantiles %v, Mean %v", mean, want)
			}
			if sd := math.Sqrt(max(0, squares/n-mean*mean)); math.Abs(sd-test.sd) > 2e-3*test.d.Mean() {
				t.Errorf("standard deviation of the quantiles %v, want %v", sd, test.sd)
			}
		})
	}
}

// Known quantiles.
func TestQuantile(t *testing.T) {
	for _, test := range []struct {
		d       workflow.Distribution
		u, want float64
	}{
		{workflow.Constant(7), 0.9, 7},
		{workflow.Distribution{Shape: workflow.ShapeUniform, A: 2, B: 10}, 0.25, 4},
		{workflow.Exponential(5), 0.5, 5 * math.Ln2},
		{workflow.Exponential(5), 0.99, 5 * math.Log(100)},
		{workflow.Distribution{Shape: workflow.ShapeNormal, A: 50, B: 5}, 0.5, 50},
		{workflow.Distribution{Shape: workflow.ShapeNormal, A: 50, B: 5}, 0.975, 50 + 5*1.959963984540054},
		{workflow.Distribution{Shape: workflow.ShapeNormal, A: 1, B: 5}, 0.1, 0}, // cut off
		{workflow.Distribution{Shape: workflow.ShapeLognormal, A: 10, B: 10}, 0.5, 10 / math.Sqrt2},
		{workflow.Distribution{Shape: workflow.ShapePareto, A: 3, B: 1.5}, 1e-12, 1},
		{workflow.Distribution{Shape: workflow.ShapePareto, A: 3, B: 1.5}, 0.999, 100},
		{workflow.Distribution{Shape: workflow.ShapeEmpirical, Values: []float64{3, 1, 2}}, 0.34, 1},
		{workflow.Distribution{Shape: workflow.ShapeEmpirical, Values: []float64{3, 1, 2}}, 1 - 1e-16, 2},
	} {
		if got := test.d.Quantile(test.u, 0); math.Abs(got-test.want) > 1e-9*max(1, test.want) {
			t.Errorf("%v %+v at %v: %v, want %v", test.d.Shape, test.d, test.u, got, test.want)
		}
	}
}

// A size by item goes round the list of values, whatever the chance.
func TestByItem(t *testing.T) {
	d := workflow.ByItem(5, 6, 7)
	for item, want := range []float64{5, 6, 7, 5, 6} {
		if got := d.Quantile(0.123, uint32(item)); got != want {
			t.Errorf("item %d: %v, want %v", item, got, want)
		}
	}
	if !d.Fixed() || d.Mean() != 6 {
		t.Errorf("fixed: %v, mean %v", d.Fixed(), d.Mean())
	}
}

// Each item may have a distribution of its own.
func TestEachItem(t *testing.T) {
	d := workflow.EachItem(workflow.Constant(5), workflow.Distribution{Shape: workflow.ShapeUniform, A: 10, B: 20})
	for item, want := range []float64{5, 12.5, 5, 12.5} {
		if got := d.Quantile(0.25, uint32(item)); got != want {
			t.Errorf("item %d: %v, want %v", item, got, want)
		}
	}
	if d.Fixed() || d.Mean() != 10 || d.Total(3) != 25 || d.Total(2.5) != 25 {
		t.Errorf("fixed: %v, mean %v, of 3 items %v, of 2.5 %v", d.Fixed(), d.Mean(), d.Total(3), d.Total(2.5))
	}
}

func TestTotal(t *testing.T) {
	d := workflow.ByItem(5, 6, 7)
	for n, want := range map[float64]float64{0: 0, 1: 5, 3: 18, 5: 29, 2.5: 15, 3e6: 18e6} {
		if got := d.Total(n); got != want {
			t.Errorf("sum over %v items: %v, want %v", n, got, want)
		}
	}
	if got := workflow.Exponential(5).Total(2.5); got != 12.5 {
		t.Errorf("the expected sum of 2.5 draws is %v", got)
	}
}

func TestDistributionsThatMakeNoSense(t *testing.T) {
	for _, test := range []struct {
		d    workflow.Distribution
		want string
	}{
		{workflow.Constant(-1), "-1 is not a finite number of at least 0"},
		{workflow.Constant(math.NaN()), "NaN is not a finite number of at least 0"},
		{workflow.Exponential(math.Inf(1)), "+Inf is not a finite number of at least 0"},
		{workflow.ByItem(1, -2), "-2 is not a finite number of at least 0"},
		{workflow.Distribution{Shape: workflow.ShapeNormal, A: 1, B: -1}, "-1 is not a finite number of at least 0"},
		{workflow.Distribution{Shape: workflow.ShapeUniform, A: 2, B: 1}, "the upper end 1 is below the lower end 2"},
		{workflow.Distribution{Shape: workflow.ShapeLognormal, B: 1}, "the mean of a lognormal distribution must be above 0"},
		{workflow.Distribution{Shape: workflow.ShapeLognormal, A: 1, B: 1e7}, "a standard deviation of 1e+07 is more than 10⁶ times the mean 1"},
		{workflow.Distribution{Shape: workflow.ShapePareto, A: 1, B: 1}, "a tail index of 1 has no mean: it must be above 1"},
		{workflow.ByItem(), "it has no values"},
		{workflow.EachItem(), "it has no values"},
		{workflow.EachItem(workflow.Constant(1), workflow.Constant(-2)), "item 1: -2 is not a finite number of at least 0"},
		{workflow.EachItem(workflow.EachItem(workflow.Constant(1))), "item 0: a distribution by item holds no other by item"},
		{workflow.EachItem(workflow.ByItem(1)), "item 0: a distribution by item holds no other by item"},
		{workflow.Distribution{Shape: workflow.ShapeEmpirical}, "it has no values"},
		{workflow.Distribution{Shape: 99}, "there is no shape 99"},
	} {
		if err := test.d.Check(); err == nil || err.Error() != test.want {
			t.Errorf("%v: %v, want %s", test.d.Shape, err, test.want)
		}
	}
}

// Whatever Check lets pass has values that are numbers of at least 0, and that
// grow with u.
func TestQuantilesAreInOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		number := rapid.Float64Range(0, 1e15)
		d := workflow.Distribution{
			Shape: workflow.Shape(rapid.IntRange(0, 7).Draw(t, "shape")),
			A:     number.Draw(t, "A"), B: number.Draw(t, "B"), Values: rapid.SliceOfN(number, 0, 4).Draw(t, "values"),
		}
		if rapid.Bool().Draw(t, "for each item") {
			d = workflow.EachItem(workflow.Constant(1), d)
		}
		if d.Check() != nil {
			return
		}
		u := rapid.Float64Range(1e-15, 1-1e-15)
		low, high := u.Draw(t, "u"), u.Draw(t, "u")
		if low > high {
			low, high = high, low
		}
		a, b := d.Quantile(low, 3), d.Quantile(high, 3)
		if !(a >= 0) || !(b >= 0) || math.IsInf(b, 0) {
			t.Fatalf("%v %+v: %v at %v, %v at %v", d.Shape, d, a, low, b, high)
		}
		if sorted := d.Shape != workflow.ShapeEmpirical && d.Shape != workflow.ShapeEachItem; sorted && a > b*(1+1e-12) {
			t.Fatalf("%v %+v: %v at %v, but %v at %v", d.Shape, d, a, low, b, high)
		}
		if mean := d.Mean(); !(mean >= 0) {
			t.Fatalf("%v %+v: mean %v", d.Shape, d, mean)
		}
	})
}

func TestShapesHaveNames(t *testing.T) {
	for shape, want := range map[workflow.Shape]string{workflow.ShapeConstant: "constant", workflow.ShapePareto: "pareto", workflow.ShapeByItem: "by_item"} {
		if shape.String() != want {
			t.Errorf("%s, want %s", shape, want)
		}
	}
}
