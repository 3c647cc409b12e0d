package figures

import (
	"fmt"
	"math"
	"testing"

	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/font/liberation"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/recorder"
	"pgregory.net/rapid"
)

// textBox is where a piece of text lies on the canvas: its four corners in
// order.
type textBox struct {
	text    string
	corners [4]vg.Point
}

// textBoxes finds all text of a figure.
func textBoxes(f Figure) []textBox {
	type state struct {
		origin vg.Point
		angle  float64
	}
	fonts := font.NewCache(liberation.Collection())
	var out []textBox
	now, stack := state{}, []state(nil)
	for _, action := range f.drawing {
		switch a := action.(type) {
		case *recorder.Push:
			stack = append(stack, now)
		case *recorder.Pop:
			now, stack = stack[len(stack)-1], stack[:len(stack)-1]
		case *recorder.Translate:
			now.origin = now.origin.Add(turn(a.Point, now.angle))
		case *recorder.Rotate:
			now.angle += a.Angle
		case *recorder.FillString:
			face := fonts.Lookup(a.Font, a.Size)
			width := face.Width(a.String)
			b := textBox{text: a.String}
			for i, corner := range [4]vg.Point{
				{X: 0, Y: -0.2 * a.Size}, {X: width, Y: -0.2 * a.Size}, {X: width, Y: capHeight * a.Size}, {X: 0, Y: capHeight * a.Size},
			} {
				b.corners[i] = now.origin.Add(turn(a.Point.Add(corner), now.angle))
			}
			out = append(out, b)
		}
	}
	return out
}

// overlap reports whether two boxes overlap by more than a hair: there is no
// line between them.
func (b textBox) overlap(other textBox) bool {
	const hair = 0.3
	for _, box := range []textBox{b, other} {
		for i := range 2 {
			side := box.corners[i+1].Sub(box.corners[i])
			length := vg.Length(math.Hypot(float64(side.X), float64(side.Y)))
			if length == 0 {
				return false
			}
			axis := side.Scale(1 / length)
			lo1, hi1 := b.shadow(axis)
			lo2, hi2 := other.shadow(axis)
			if hi1 < lo2+hair || hi2 < lo1+hair {
				return false
			}
		}
	}
	return true
}

// shadow projects a box on an axis.
func (b textBox) shadow(axis vg.Point) (lo, hi vg.Length) {
	lo, hi = vg.Length(math.Inf(1)), vg.Length(math.Inf(-1))
	for _, c := range b.corners {
		at := c.Dot(axis)
		lo, hi = min(lo, at), max(hi, at)
	}
	return lo, hi
}

// layoutFaults lists text that leaves the canvas or lies on other text.
func layoutFaults(f Figure) []string {
	var faults []string
	boxes := textBoxes(f)
	for i, b := range boxes {
		for _, c := range b.corners {
			if c.X < 2 || c.Y < 2 || c.X > f.width-2 || c.Y > f.height-2 {
				faults = append(faults, fmt.Sprintf("%q leaves the canvas of %v × %v at %v", b.text, f.width, f.height, c))
				break
			}
		}
		for _, other := range boxes[:i] {
			if b.overlap(other) {
				faults = append(faults, fmt.Sprintf("%q at %v lies on %q at %v", b.text, b.corners[0], other.text, other.corners[0]))
			}
		}
	}
	return faults
}

func TestNoTextLeavesTheCanvasOrLiesOnOther(t *testing.T) {
	for _, e := range append(gallery(), oddities()...) {
		for _, fault := range layoutFaults(e.figure) {
			t.Errorf("%s: %s", e.name, fault)
		}
	}
}

func TestLayoutFaultsAreFound(t *testing.T) {
	p := newPen()
	at := vg.Point{X: 30, Y: 50}
	p.text(tickFace, ink, at, anchor{}, 0, "first")
	p.text(tickFace, ink, at.Add(vg.Point{X: 8, Y: 4}), anchor{}, 0, "on the first")
	p.text(tickFace, ink, at.Add(vg.Point{X: 8, Y: -30}), anchor{}, 0, "free")
	p.text(tickFace, ink, vg.Point{X: 10, Y: 5}, anchor{1, 0}, math.Pi/2, "out below")
	f := Figure{width: 100, height: 100, drawing: p.canvas.Actions}
	if got := layoutFaults(f); len(got) != 2 {
		t.Errorf("got %q, want one overlap and one text that leaves the canvas", got)
	}
}

// Few bars spread over the page, and leave no side of it empty.
func TestFewBarsFillTheFigure(t *testing.T) {
	for groups := 1; groups <= 4; groups++ {
		breakdown := Breakdown{YLabel: "mean latency (s)", Phases: []string{"fetch", "compute"}}
		bars := Bars{YLabel: "mean latency (s)", Series: []BarSeries{{Name: "mastersp"}}}
		for range groups {
			breakdown.Groups = append(breakdown.Groups, BreakdownGroup{Name: "group", Bars: []BreakdownBar{{Parts: []float64{1, 2}}}})
			bars.Groups = append(bars.Groups, "group")
			bars.Series[0].Values = append(bars.Series[0].Values, Estimate{Value: 3})
		}
		for name, f := range map[string]Figure{"breakdown": breakdown.Draw(), "bars": bars.Draw()} {
			left, right := f.width, vg.Length(0)
			for _, b := range textBoxes(f) {
				if b.text == "group" {
					middle := (b.corners[0].X + b.corners[1].X) / 2
					left, right = min(left, middle), max(right, middle)
				}
			}
			// The axis takes some of the left side.
			if middle := (left + right) / 2; middle < 0.5*f.width || middle > 0.6*f.width {
				t.Errorf("%d groups of a %s are around %v of a width of %v", groups, name, middle, f.width)
			}
			if want := f.width * 0.75 * vg.Length(groups-1) / vg.Length(groups); right-left < want {
				t.Errorf("%d groups of a %s reach from %v to %v of a width of %v", groups, name, left, right, f.width)
			}
		}
	}
}

// anyNumber is any number, sensible ones most often.
func anyNumber() *rapid.Generator[float64] {
	return rapid.OneOf(
		rapid.Float64Range(0, 100), rapid.Float64Range(0, 100),
		rapid.Float64Range(-1e-6, 1e-6), rapid.Float64(),
		rapid.SampledFrom([]float64{0, 1, 1e-9, 1e9, 1e100, -5, math.NaN(), math.Inf(1), math.Inf(-1), math.MaxFloat64, 5e-324}))
}

func anyName() *rapid.Generator[string] {
	return rapid.OneOf(rapid.StringN(0, 12, -1), rapid.SampledFrom([]string{"", "mastersp", "a long name of several words", "camelCaseWithoutAnyBreakAtAll", "x-y_z/w"}))
}

func anyEstimate() *rapid.Generator[Estimate] {
	return rapid.Custom(func(t *rapid.T) Estimate {
		return Estimate{anyNumber().Draw(t, "value"), anyNumber().Draw(t, "lo"), anyNumber().Draw(t, "hi"), rapid.Bool().Draw(t, "timeout")}
	})
}

func anyScale() *rapid.Generator[Scale] { return rapid.SampledFrom([]Scale{Auto, Linear, Log}) }

func some[T any](g *rapid.Generator[T], most int) *rapid.Generator[[]T] {
	return rapid.SliceOfN(g, 0, most)
}

func anyBars() *rapid.Generator[Bars] {
	series := rapid.Custom(func(t *rapid.T) BarSeries {
		return BarSeries{anyName().Draw(t, "name"), rapid.Bool().Draw(t, "published"), rapid.IntRange(-1, 10).Draw(t, "style"), some(anyEstimate(), 6).Draw(t, "values")}
	})
	return rapid.Custom(func(t *rapid.T) Bars {
		return Bars{anyName().Draw(t, "title"), anyName().Draw(t, "subtitle"), anyName().Draw(t, "y"), anyName().Draw(t, "x"),
			some(anyName(), 6).Draw(t, "groups"), some(series, 5).Draw(t, "series"), anyScale().Draw(t, "scale"), rapid.Bool().Draw(t, "labels")}
	})
}

func anyLines() *rapid.Generator[Lines] {
	point := rapid.Custom(func(t *rapid.T) Point { return Point{anyNumber().Draw(t, "x"), anyEstimate().Draw(t, "y")} })
	series := rapid.Custom(func(t *rapid.T) LineSeries {
		return LineSeries{anyName().Draw(t, "name"), rapid.Bool().Draw(t, "published"), 0, rapid.Bool().Draw(t, "right"), rapid.Bool().Draw(t, "scattered"), rapid.Bool().Draw(t, "unmarked"), some(point, 6).Draw(t, "points"), some(rapid.Custom(func(t *rapid.T) float64 { return anyNumber().Draw(t, "ringed") }), 2).Draw(t, "ringed")}
	})
	return rapid.Custom(func(t *rapid.T) Lines {
		return Lines{anyName().Draw(t, "title"), "", anyName().Draw(t, "x"), anyName().Draw(t, "y"), anyName().Draw(t, "right"),
			some(series, 4).Draw(t, "series"), anyScale().Draw(t, "x scale"), anyScale().Draw(t, "y scale"), anyScale().Draw(t, "right scale")}
	})
}

func anyCDF() *rapid.Generator[CDF] {
	series := rapid.Custom(func(t *rapid.T) CDFSeries {
		return CDFSeries{anyName().Draw(t, "name"), rapid.Bool().Draw(t, "published"), 0, some(anyNumber(), 8).Draw(t, "samples"), rapid.IntRange(-2, 20).Draw(t, "timed out")}
	})
	return rapid.Custom(func(t *rapid.T) CDF {
		return CDF{anyName().Draw(t, "title"), "", anyName().Draw(t, "x"), some(series, 4).Draw(t, "series"), anyScale().Draw(t, "scale")}
	})
}

func anyBreakdown() *rapid.Generator[Breakdown] {
	bar := rapid.Custom(func(t *rapid.T) BreakdownBar {
		return BreakdownBar{anyName().Draw(t, "name"), some(anyNumber(), 4).Draw(t, "parts"), rapid.Bool().Draw(t, "timeout")}
	})
	group := rapid.Custom(func(t *rapid.T) BreakdownGroup {
		return BreakdownGroup{anyName().Draw(t, "name"), some(bar, 3).Draw(t, "bars")}
	})
	return rapid.Custom(func(t *rapid.T) Breakdown {
		return Breakdown{anyName().Draw(t, "title"), "", anyName().Draw(t, "y"), some(anyName(), 4).Draw(t, "phases"), some(group, 4).Draw(t, "groups"), rapid.Bool().Draw(t, "labels")}
	})
}

func anyTimeSeries() *rapid.Generator[TimeSeries] {
	line := rapid.Custom(func(t *rapid.T) TimeLine {
		return TimeLine{anyName().Draw(t, "name"), 0, some(anyNumber(), 8).Draw(t, "times"), some(anyNumber(), 8).Draw(t, "values"), rapid.Bool().Draw(t, "steps")}
	})
	panel := rapid.Custom(func(t *rapid.T) TimePanel {
		return TimePanel{anyName().Draw(t, "y"), some(line, 3).Draw(t, "lines"), anyScale().Draw(t, "scale")}
	})
	mark := rapid.Custom(func(t *rapid.T) TimeMark { return TimeMark{anyNumber().Draw(t, "at"), anyName().Draw(t, "name")} })
	return rapid.Custom(func(t *rapid.T) TimeSeries {
		return TimeSeries{anyName().Draw(t, "title"), "", anyName().Draw(t, "x"), some(panel, 3).Draw(t, "panels"), some(mark, 4).Draw(t, "marks")}
	})
}

func anyGantt() *rapid.Generator[Gantt] {
	phase := rapid.Custom(func(t *rapid.T) GanttSpan {
		return GanttSpan{anyName().Draw(t, "phase"), anyNumber().Draw(t, "from"), anyNumber().Draw(t, "to")}
	})
	row := rapid.Custom(func(t *rapid.T) GanttRow {
		return GanttRow{anyName().Draw(t, "name"), anyName().Draw(t, "node"), rapid.Bool().Draw(t, "critical"), some(phase, 4).Draw(t, "spans")}
	})
	return rapid.Custom(func(t *rapid.T) Gantt {
		return Gantt{anyName().Draw(t, "title"), "", anyName().Draw(t, "x"), some(row, 50).Draw(t, "rows")}
	})
}

func anyPanels() *rapid.Generator[Panels] {
	plot := rapid.OneOf(rapid.Map(anyBars(), plotOf), rapid.Map(anyLines(), plotOf), rapid.Map(anyCDF(), plotOf), rapid.Map(anyBreakdown(), plotOf))
	panel := rapid.Custom(func(t *rapid.T) Panel { return Panel{anyName().Draw(t, "title"), plot.Draw(t, "plot")} })
	return rapid.Custom(func(t *rapid.T) Panels {
		return Panels{anyName().Draw(t, "title"), "", rapid.IntRange(-1, 4).Draw(t, "columns"), some(panel, 5).Draw(t, "panels"), rapid.Bool().Draw(t, "same x"), rapid.Bool().Draw(t, "same y")}
	})
}

func plotOf[T Plot](p T) Plot { return p }

// Whatever the data, a figure can be drawn and written, no text leaves it and
// none lies on other.
func TestAnyDataGivesAFigure(t *testing.T) {
	for _, kind := range []struct {
		name string
		draw func(t *rapid.T) Figure
	}{
		{"bars", func(t *rapid.T) Figure { return anyBars().Draw(t, "bars").Draw() }},
		{"lines", func(t *rapid.T) Figure { return anyLines().Draw(t, "lines").Draw() }},
		{"cdf", func(t *rapid.T) Figure { return anyCDF().Draw(t, "cdf").Draw() }},
		{"breakdown", func(t *rapid.T) Figure { return anyBreakdown().Draw(t, "breakdown").Draw() }},
		{"time series", func(t *rapid.T) Figure { return anyTimeSeries().Draw(t, "time series").Draw() }},
		{"gantt", func(t *rapid.T) Figure { return anyGantt().Draw(t, "gantt").Draw() }},
		{"panels", func(t *rapid.T) Figure { return anyPanels().Draw(t, "panels").Draw() }},
	} {
		t.Run(kind.name, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				f := kind.draw(t)
				svg, err := f.SVG()
				if err != nil {
					t.Fatal(err)
				}
				if err := wellFormed(svg); err != nil {
					t.Fatal(err)
				}
				if faults := layoutFaults(f); len(faults) > 0 {
					t.Fatal(faults)
				}
			})
		})
	}
}
