package workflow

import (
	"fmt"
	"math"
)

// Shape is the family of a [Distribution].
type Shape uint8

// The shapes, with the meaning of a Distribution's parameters A and B.
const (
	ShapeConstant    Shape = iota // always A
	ShapeUniform                  // between A and B
	ShapeExponential              // mean A
	ShapeNormal                   // mean A, standard deviation B, cut off at 0
	ShapeLognormal                // mean A, standard deviation B (of the value, not of its logarithm)
	ShapePareto                   // mean A, tail index B > 1
	ShapeEmpirical                // one of Values, each as likely
	ShapeByItem                   // Values[i mod len] for item i of the innermost foreach
	ShapeEachItem                 // distributed as Items[i mod len] for item i of the innermost foreach
)

var shapeNames = [...]string{
	"constant", "uniform", "exponential", "normal", "lognormal", "pareto", "empirical", "by_item", "by_item",
}

// String returns the name that workflow files use.
func (s Shape) String() string { return shapeNames[s] }

// Distribution describes a quantity that may vary between invocations: a
// compute time in nanoseconds, a size in bytes, a number of items. The zero
// value is the constant 0.
//
// A Distribution holds no random state. Its Quantile turns a uniform number
// into a value, so a draw depends on nothing but that number.
type Distribution struct {
	Shape  Shape
	A, B   float64
	Values []float64
	Items  []Distribution
}

// Constant is the distribution that is always v.
func Constant(v float64) Distribution { return Distribution{Shape: ShapeConstant, A: v} }

// Exponential is the exponential distribution of the given mean.
func Exponential(mean float64) Distribution { return Distribution{Shape: ShapeExponential, A: mean} }

// ByItem is the distribution whose value is fixed for each item of a list.
func ByItem(values ...float64) Distribution {
	return Distribution{Shape: ShapeByItem, Values: values}
}

// EachItem is the distribution that differs from item to item of a list, and
// varies for each.
func EachItem(items ...Distribution) Distribution {
	return Distribution{Shape: ShapeEachItem, Items: items}
}

// Fixed reports whether the value does not depend on chance.
func (d Distribution) Fixed() bool { return d.Shape == ShapeConstant || d.Shape == ShapeByItem }

// Quantile returns the value for the uniform number u in (0, 1); the higher u,
// the higher the value, except where Values are not sorted. item is the index
// in the innermost foreach, which only the shapes by item look at. The result is
// never negative.
func (d Distribution) Quantile(u float64, item uint32) float64 {
	switch d.Shape {
	case ShapeConstant:
		return d.A
	case ShapeUniform:
		return d.A + u*(d.B-d.A)
	case ShapeExponential:
		return -d.A * math.Log1p(-u)
	case ShapeNormal:
		return max(0, d.A+d.B*normalQuantile(u))
	case ShapeLognormal:
		mu, sigma := d.lognormalParameters()
		return math.Exp(mu + sigma*normalQuantile(u))
	case ShapePareto:
		return d.A * (d.B - 1) / d.B * math.Pow(1-u, -1/d.B)
	case ShapeEmpirical:
		return d.Values[min(int(u*float64(len(d.Values))), len(d.Values)-1)]
	case ShapeByItem:
		return d.Values[int(item)%len(d.Values)]
	default: // ShapeEachItem
		return d.Items[int(item)%len(d.Items)].Quantile(u, item)
	}
}

// Mean is the expected value; for the shapes by item the mean over the items, for
// ShapeNormal that of the distribution before it is cut off.
func (d Distribution) Mean() float64 {
	switch d.Shape {
	case ShapeUniform:
		return (d.A + d.B) / 2
	case ShapeEmpirical, ShapeByItem:
		sum := 0.0
		for _, v := range d.Values {
			sum += v
		}
		return sum / float64(len(d.Values))
	case ShapeEachItem:
		return d.Total(float64(len(d.Items))) / float64(len(d.Items))
	default:
		return d.A
	}
}

// Total is the expected sum over n items.
func (d Distribution) Total(n float64) float64 {
	byItem := d.Shape == ShapeByItem || d.Shape == ShapeEachItem
	if !byItem || n != math.Trunc(n) || n > 1e6 {
		return n * d.Mean()
	}
	sum := 0.0
	for i := range int(n) {
		if d.Shape == ShapeByItem {
			sum += d.Values[i%len(d.Values)]
		} else {
			sum += d.Items[i%len(d.Items)].Mean()
		}
	}
	return sum
}

// Check returns an error that says what is wrong with the parameters, or nil.
func (d Distribution) Check() error {
	for _, v := range append([]float64{d.A, d.B}, d.Values...) {
		if v < 0 || math.IsNaN(v) || math.IsInf(v, 0) {
			return fmt.Errorf("%v is not a finite number of at least 0", v)
		}
	}
	if int(d.Shape) >= len(shapeNames) {
		return fmt.Errorf("there is no shape %d", d.Shape)
	}
	switch d.Shape {
	case ShapeUniform:
		if d.B < d.A {
			return fmt.Errorf("the upper end %v is below the lower end %v", d.B, d.A)
		}
	case ShapeLognormal:
		if d.A == 0 {
			return fmt.Errorf("the mean of a lognormal distribution must be above 0")
		}
		if d.B/d.A > 1e6 {
			return fmt.Errorf("a standard deviation of %v is more than 10⁶ times the mean %v", d.B, d.A)
		}
	case ShapePareto:
		if d.B <= 1 {
			return fmt.Errorf("a tail index of %v has no mean: it must be above 1", d.B)
		}
	case ShapeEmpirical, ShapeByItem:
		if len(d.Values) == 0 {
			return fmt.Errorf("it has no values")
		}
	case ShapeEachItem:
		if len(d.Items) == 0 {
			return fmt.Errorf("it has no values")
		}
		for i, item := range d.Items {
			if item.Shape == ShapeByItem || item.Shape == ShapeEachItem {
				return fmt.Errorf("item %d: a distribution by item holds no other by item", i)
			}
			if err := item.Check(); err != nil {
				return fmt.Errorf("item %d: %w", i, err)
			}
		}
	}
	return nil
}

func (d Distribution) lognormalParameters() (mu, sigma float64) {
	ratio := d.B / d.A
	variance := math.Log1p(ratio * ratio)
	return math.Log(d.A) - variance/2, math.Sqrt(variance)
}

func normalQuantile(u float64) float64 { return math.Sqrt2 * math.Erfinv(2*u-1) }
