package figures

import (
	"image/color"
	"math"
	"slices"
	"strings"
	"testing"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/recorder"
)

// texts returns all text of a figure.
func texts(f Figure) []string {
	var out []string
	for _, b := range textBoxes(f) {
		out = append(out, b.text)
	}
	return out
}

func count(texts []string, word string) int {
	n := 0
	for _, s := range texts {
		if s == word {
			n++
		}
	}
	return n
}

// bounds returns the smallest rectangle around a path.
func bounds(p vg.Path) vg.Rectangle {
	r := vg.Rectangle{Min: p[0].Pos, Max: p[0].Pos}
	for _, c := range p {
		if c.Type != vg.CloseComp {
			r.Min.X, r.Min.Y = min(r.Min.X, c.Pos.X), min(r.Min.Y, c.Pos.Y)
			r.Max.X, r.Max.Y = max(r.Max.X, c.Pos.X), max(r.Max.Y, c.Pos.Y)
		}
	}
	return r
}

// painted returns the bounds of all that is filled or stroked in a colour, in
// order.
func painted(f Figure, c color.RGBA, strokes bool) []vg.Rectangle {
	var now color.Color
	var out []vg.Rectangle
	for _, action := range f.drawing {
		switch a := action.(type) {
		case *recorder.SetColor:
			now = a.Color
		case *recorder.Fill:
			if now == c && !strokes {
				out = append(out, bounds(a.Path))
			}
		case *recorder.Stroke:
			if now == c && strokes {
				out = append(out, bounds(a.Path))
			}
		}
	}
	return out
}

func TestBarsAreAsLongAsTheirValues(t *testing.T) {
	f := Bars{Groups: []string{"a", "b", "c"}, Series: []BarSeries{{Name: "s", Values: exactly(1, 2.5, 4)}}}.Draw()
	bars := painted(f, blue, false)[1:] // behind the key of the legend
	if len(bars) != 3 {
		t.Fatalf("%d bars", len(bars))
	}
	for i, want := range []vg.Length{1, 2.5, 4} {
		if got := bars[i].Size().Y / bars[0].Size().Y; math.Abs(float64(got-want)) > 1e-9 {
			t.Errorf("bar %d is %v times the first, want %v", i, got, want)
		}
		if bars[i].Min.Y != bars[0].Min.Y || i > 0 && bars[i].Min.X <= bars[i-1].Max.X {
			t.Errorf("bar %d stands at %v", i, bars[i])
		}
	}
}

func TestDecadesAreEquallyLongOnALogarithmicAxis(t *testing.T) {
	f := Bars{YScale: Log, Groups: []string{"a", "b", "c"}, Series: []BarSeries{{Name: "s", Values: exactly(0.3, 3, 30)}}}.Draw()
	bars := painted(f, blue, false)[1:]
	if a, b := bars[1].Max.Y-bars[0].Max.Y, bars[2].Max.Y-bars[1].Max.Y; math.Abs(float64(a-b)) > 1e-9 || a <= 0 {
		t.Errorf("steps of %v and %v", a, b)
	}
}

func TestTimeoutsAreNamed(t *testing.T) {
	bars := texts(tailLatency().Draw())
	if got := count(bars, "timeout"); got != 4 {
		t.Errorf("bars: the word is there %d times, want 4", got)
	}
	if got := count(texts(latencyBreakdown().Draw()), "timeout"); got != 1 {
		t.Errorf("breakdown: the word is there %d times, want 1", got)
	}
	lines := Lines{Series: []LineSeries{{Name: "a", Points: over([]float64{1, 2}, around(1, 0))}}}
	if got := count(texts(lines.Draw()), "timeout"); got != 1 {
		t.Errorf("lines: the word is there %d times, want 1", got)
	}
	lines.Series[0].Points = lines.Series[0].Points[:1]
	if got := count(texts(lines.Draw()), "timeout"); got != 0 {
		t.Errorf("lines without a timeout: the word is there %d times", got)
	}
}

func TestMissingBarsAndZerosAreToldApart(t *testing.T) {
	got := texts(Bars{Groups: []string{"a", "b", "c", "d"}, Series: []BarSeries{{Name: "s", Values: []Estimate{{Value: 1}, {Value: math.NaN()}, {}}}}}.Draw())
	if count(got, "n/a") != 2 || count(got, "0") != 1 { // the axis says 0.0
		t.Errorf("got %q", got)
	}
}

func TestATimeoutIsAboveAllValues(t *testing.T) {
	f := Lines{Series: []LineSeries{{Name: "a", Scattered: true, Points: over([]float64{1, 2, 3}, exactly(5, 9, 0))}}}.Draw()
	marks := painted(f, blue, false)[1:]
	if len(marks) != 3 || marks[2].Min.Y <= marks[1].Max.Y || marks[2].Min.X <= marks[1].Max.X {
		t.Errorf("markers at %v", marks)
	}
}

func TestRingsAreAroundPointsAndUnmarkedLinesHaveNone(t *testing.T) {
	points := over([]float64{1, 2, 3}, exactly(5, 9, 7))
	outlines := func(s LineSeries) int { return len(painted(Lines{Series: []LineSeries{s}}.Draw(), blue, true)) }
	fills := func(s LineSeries) int { return len(painted(Lines{Series: []LineSeries{s}}.Draw(), blue, false)) }
	plain, ringed := LineSeries{Name: "a", Points: points}, LineSeries{Name: "a", Points: points, Ringed: []float64{2, 2.5}}
	if a, b := outlines(plain), outlines(ringed); b != a+1 {
		t.Errorf("%d outlines without a ring, %d with one", a, b)
	}
	if n := fills(LineSeries{Name: "a", Points: points, Unmarked: true}); n != 0 {
		t.Errorf("a line without markers has %d", n)
	}
}

func TestAMissingValueInterruptsTheLine(t *testing.T) {
	pieces := func(values ...float64) int {
		var points []Point
		for i, v := range values {
			points = append(points, Point{float64(i), Estimate{Value: v}})
		}
		return len(painted(Lines{Series: []LineSeries{{Name: "a", Points: points}}}.Draw(), blue, true)) - 1 // the key
	}
	if a, b := pieces(1, 2, 3, 4), pieces(1, 2, math.NaN(), 3, 4); a != 1 || b != 2 {
		t.Errorf("%d and %d pieces, want 1 and 2", a, b)
	}
}

func TestACDFWithTimeoutsEndsBelowOne(t *testing.T) {
	height := func(timedOut int) vg.Length {
		f := CDF{Series: []CDFSeries{{Name: "a", Samples: []float64{1, 2, 3}, TimedOut: timedOut}}}.Draw()
		strokes := painted(f, blue, true)
		return strokes[1].Size().Y
	}
	if got := height(1) / height(0); math.Abs(float64(got)-0.75) > 1e-9 {
		t.Errorf("with one timeout of four the line ends at %v, want 0.75", got)
	}
}

func TestAllLinesOfACDFReachOverTheWholeAxis(t *testing.T) {
	f := CDF{Series: []CDFSeries{{Name: "a", Samples: []float64{1, 2, 3}}, {Name: "b", Samples: []float64{8, 9}}}}.Draw()
	a, b := painted(f, blue, true)[1], painted(f, orange, true)[1]
	if a.Min.X != b.Min.X || a.Max.X != b.Max.X || a.Size().X < 300 {
		t.Errorf("from %v to %v and from %v to %v", a.Min.X, a.Max.X, b.Min.X, b.Max.X)
	}
}

func TestDenseTimeSeriesKeepEveryPeak(t *testing.T) {
	const n = 200_000
	line := TimeLine{Times: seconds(n), Values: make([]float64, n)}
	line.Values[123_456] = 7
	plot := linePlot{x: scale{lo: 0, hi: n / 1000}, y: scale{lo: 0, hi: 7}, area: box(0, 0, 380, 70)}
	trace := plot.trace(line.points(), false)
	if len(trace) > 4*3*380+4 {
		t.Errorf("%d points are left", len(trace))
	}
	if !slices.ContainsFunc(trace, func(pt vg.Point) bool { return pt.Y == 70 }) {
		t.Error("the peak is gone")
	}
	if first, last := trace[0].X, trace[len(trace)-1].X; first != 0 || last < 379.9 {
		t.Errorf("from %v to %v", first, last)
	}
}

func TestStepsHoldAValueUntilTheNext(t *testing.T) {
	plot := linePlot{x: scale{lo: 0, hi: 10}, y: scale{lo: 0, hi: 10}, area: box(0, 0, 10, 10)}
	got := plot.trace([][2]float64{{0, 1}, {4, 3}}, true)
	want := []vg.Point{{X: 0, Y: 1}, {X: 4, Y: 1}, {X: 4, Y: 3}}
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestGanttPhasesStandAtTheirTimes(t *testing.T) {
	f := Gantt{Rows: []GanttRow{
		{Name: "a", Spans: []GanttSpan{{"compute", 0, 2}}},
		{Name: "b", Node: "worker-1", Critical: true, Spans: []GanttSpan{{"compute", 2, 8}}},
	}}.Draw()
	bars := painted(f, blue, false)[1:]
	if len(bars) != 2 || bars[1].Min.X != bars[0].Max.X || math.Abs(float64(bars[1].Size().X/bars[0].Size().X)-3) > 1e-9 || bars[1].Max.Y >= bars[0].Min.Y {
		t.Errorf("bars at %v", bars)
	}
	got := texts(f)
	for _, want := range []string{"a", "b", "worker-1", "compute", "critical path"} {
		if count(got, want) != 1 {
			t.Errorf("%q is there %d times in %q", want, count(got, want), got)
		}
	}
}

func TestPanelsHaveOneLegendAndSharedAxes(t *testing.T) {
	got := texts(rateBandwidth().Draw())
	for _, word := range []string{"mastersp", "dataflower", "faasflow (published)", "25 MB/s", "100 MB/s"} {
		if count(got, word) != 1 {
			t.Errorf("%q is there %d times", word, count(got, word))
		}
	}
	if y, x := count(got, "largest latency (s)"), count(got, "rate (requests/min)"); y != 2 || x != 2 {
		t.Errorf("labels of the axes are there %d and %d times, want one a row and one a column", y, x)
	}
	if top := count(got, "50"); top != 4 {
		t.Errorf("%d panels end at 50 s, want all four", top)
	}
}

func TestASystemLooksTheSameInEveryPanel(t *testing.T) {
	one := LineSeries{Name: "faasflow", Points: over([]float64{1, 2}, exactly(1, 2))}
	other := LineSeries{Name: "mastersp", Points: one.Points}
	f := Panels{Panels: []Panel{{"a", Lines{Series: []LineSeries{other, one}}}, {"b", Lines{Series: []LineSeries{one}}}}}.Draw()
	// A key and a line in both panels, of two markers each, and their edges.
	if got := len(painted(f, orange, true)); got != 3 {
		t.Errorf("faasflow has %d lines in its colour, want a key and two lines", got)
	}
}

func TestEmptyFiguresSaySo(t *testing.T) {
	for _, e := range oddities() {
		if strings.HasSuffix(e.name, "-empty") && count(texts(e.figure), "no data") != 1 {
			t.Errorf("%s says %q", e.name, texts(e.figure))
		}
	}
}
