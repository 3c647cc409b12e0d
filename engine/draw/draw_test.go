package draw_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/flowtwin/flowtwin/engine/draw"
	"github.com/flowtwin/flowtwin/engine/workflow"
)

var purposes = []draw.Purpose{
	draw.ComputeTime, draw.Size, draw.Items, draw.Branch, draw.Arrival, draw.ColdStart, draw.Failure, draw.Resample,
}

// Results must stay the same from one version to the next: a change here
// changes every simulation.
func TestDrawsAreTheSameForEver(t *testing.T) {
	s := draw.New(1)
	var top workflow.Path
	about := draw.Subject{Workflow: 1, Function: 2, Output: 3, Invocation: 4, Try: 5}
	for _, test := range []struct {
		name string
		got  float64
		want string
	}{
		{"nothing in particular", s.Uniform(draw.ComputeTime, draw.Subject{}, top), "0.568643680562689"},
		{"a subject", s.Uniform(draw.Size, about, top), "0.480386359506323"},
		{"an instance", s.Uniform(draw.Size, about, top.Item(6, 9).Item(7, 9)), "0.611546941888209"},
		{"another seed", draw.New(2).Uniform(draw.Size, about, top), "0.525861078862579"},
		{"a sequence", s.Sequence(draw.Arrival, 0, 0), "0.102949655969073"},
		{"later in another", s.Sequence(draw.Arrival, 1, 1000), "0.240776830538067"},
	} {
		if got := fmt.Sprintf("%.15f", test.got); got != test.want {
			t.Errorf("%s: %s, want %s", test.name, got, test.want)
		}
	}
	for trial, want := range []uint64{10755129712295476576, 7462691270163311849} {
		if got := draw.Seed(42, trial); got != want {
			t.Errorf("seed of trial %d: %d, want %d", trial, got, want)
		}
	}
}

// Every field of a subject, and every level of a path, makes a draw of its
// own, however large it is.
func TestDrawsDoNotCollide(t *testing.T) {
	s := draw.New(7)
	seen := map[float64]string{}
	record := func(u float64, format string, args ...any) {
		name := fmt.Sprintf(format, args...)
		if other, taken := seen[u]; taken {
			t.Errorf("%s is drawn like %s", name, other)
		}
		seen[u] = name
	}
	values := []uint64{0, 1, 2, 3, 15, 16, 255, 256, 257, 65535, 65536, 1 << 20, 1 << 24, 1<<31 - 1}
	var top workflow.Path
	for _, p := range purposes {
		record(s.Uniform(p, draw.Subject{}, top), "%v", p)
		for _, v := range values[1:] {
			for _, about := range []draw.Subject{
				{Workflow: v}, {Function: workflow.FunctionID(v)}, {Output: int32(v)}, {Invocation: v}, {Try: v},
				{Output: 1, Try: v}, {Function: 1, Output: int32(v)}, {Function: workflow.FunctionID(v), Output: 1, Try: 1},
			} {
				record(s.Uniform(p, about, top), "%v of %+v", p, about)
			}
			record(s.Uniform(p, draw.Subject{}, top.Item(uint32(v), 1)), "%v in item %d", p, v)
			record(s.Uniform(p, draw.Subject{}, top.Item(0, 1).Item(uint32(v), 1)), "%v in item 0, %d", p, v)
		}
		record(s.Uniform(p, draw.Subject{}, top.Item(0, 1)), "%v in item 0", p)
		record(s.Uniform(p, draw.Subject{}, top.Item(math.MaxUint32, 1)), "%v in the last item", p)
		for stream := range uint64(4) {
			for _, i := range values {
				record(s.Sequence(p, stream, i), "%v, stream %d, %d", p, stream, i)
			}
		}
	}
}

// The number of items is no part of an instance's name: a draw does not change
// when a list gets longer.
func TestDrawsDoNotDependOnTheLengthOfTheList(t *testing.T) {
	s := draw.New(1)
	var top workflow.Path
	if s.Uniform(draw.Size, draw.Subject{}, top.Item(1, 2)) != s.Uniform(draw.Size, draw.Subject{}, top.Item(1, 3)) {
		t.Error("they do")
	}
}

// chiSquare returns how far counts are from being equal, in standard
// deviations of what chance would make of it.
func chiSquare(counts []int) float64 {
	n := 0
	for _, c := range counts {
		n += c
	}
	expected := float64(n) / float64(len(counts))
	sum := 0.0
	for _, c := range counts {
		sum += (float64(c) - expected) * (float64(c) - expected) / expected
	}
	freedom := float64(len(counts) - 1)
	return (sum - freedom) / math.Sqrt(2*freedom)
}

// streams are ways to make many draws, each along another field.
func streams(s draw.Source) map[string]func(i uint64) float64 {
	var top workflow.Path
	return map[string]func(i uint64) float64{
		"invocations": func(i uint64) float64 { return s.Uniform(draw.ComputeTime, draw.Subject{Invocation: i}, top) },
		"functions": func(i uint64) float64 {
			return s.Uniform(draw.ComputeTime, draw.Subject{Function: workflow.FunctionID(i)}, top)
		},
		"outputs": func(i uint64) float64 { return s.Uniform(draw.Size, draw.Subject{Output: int32(i)}, top) },
		"tries":   func(i uint64) float64 { return s.Uniform(draw.Failure, draw.Subject{Try: i}, top) },
		"items":   func(i uint64) float64 { return s.Uniform(draw.Size, draw.Subject{}, top.Item(uint32(i), 1)) },
		"seeds":   func(i uint64) float64 { return draw.New(i).Uniform(draw.Size, draw.Subject{}, top) },
		"trials": func(i uint64) float64 {
			return draw.New(draw.Seed(1, int(i))).Uniform(draw.Size, draw.Subject{}, top)
		},
		"arrivals": func(i uint64) float64 { return s.Sequence(draw.Arrival, 0, i) },
		"streams":  func(i uint64) float64 { return s.Sequence(draw.Arrival, i, 0) },
	}
}

// Along each field draws are evenly spread over (0, 1), also in pairs of
// neighbours, and for neighbouring purposes.
func TestDrawsAreUniformAndIndependent(t *testing.T) {
	const n, cells, side = 100_000, 100, 16
	for name, stream := range streams(draw.New(20260101)) {
		single, pairs := make([]int, cells), make([]int, side*side)
		previous := stream(n)
		for i := range uint64(n) {
			u := stream(i)
			if !(u > 0 && u < 1) {
				t.Fatalf("%s: %v", name, u)
			}
			single[int(u*cells)]++
			pairs[int(u*side)*side+int(previous*side)]++
			previous = u
		}
		if x := chiSquare(single); math.Abs(x) > 4 {
			t.Errorf("%s: not uniform, %.1f standard deviations", name, x)
		}
		if x := chiSquare(pairs); math.Abs(x) > 4 {
			t.Errorf("%s: neighbours depend on each other, %.1f standard deviations", name, x)
		}
	}
	var top workflow.Path
	s := draw.New(3)
	for i, p := range purposes[1:] {
		pairs := make([]int, side*side)
		for invocation := range uint64(n) {
			about := draw.Subject{Invocation: invocation}
			pairs[int(s.Uniform(p, about, top)*side)*side+int(s.Uniform(purposes[i], about, top)*side)]++
		}
		if x := chiSquare(pairs); math.Abs(x) > 4 {
			t.Errorf("purposes %d and %d depend on each other, %.1f standard deviations", p, purposes[i], x)
		}
	}
}

// A value is that of the distribution at the draw; one that is fixed needs no
// draw, and depends on the item only.
func TestValue(t *testing.T) {
	s := draw.New(1)
	about := draw.Subject{Function: 1}
	var top workflow.Path
	path := top.Item(1, 3)
	d := workflow.Distribution{Shape: workflow.ShapeUniform, A: 10, B: 20}
	if got, want := s.Value(&d, draw.Size, about, path), 10+10*s.Uniform(draw.Size, about, path); got != want {
		t.Errorf("%v, want %v", got, want)
	}
	fixed := workflow.ByItem(5, 6, 7)
	if got := s.Value(&fixed, draw.Size, about, path); got != 6 {
		t.Errorf("%v, want that of item 1", got)
	}
	constant := workflow.Constant(3)
	if got := s.Value(&constant, draw.Size, about, path); got != 3 {
		t.Errorf("%v, want 3", got)
	}
}

func TestDrawingAllocatesNothing(t *testing.T) {
	s := draw.New(1)
	var top workflow.Path
	path := top.Item(1, 3)
	d := workflow.Exponential(1)
	sum := 0.0
	if n := testing.AllocsPerRun(100, func() {
		sum += s.Value(&d, draw.Size, draw.Subject{}, path) + s.Sequence(draw.Arrival, 1, 1)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkUniform(b *testing.B) {
	s := draw.New(1)
	var top workflow.Path
	sum := 0.0
	for i := range b.N {
		sum += s.Uniform(draw.Size, draw.Subject{Invocation: uint64(i)}, top)
	}
	if sum < 0 {
		b.Fatal(sum)
	}
}
