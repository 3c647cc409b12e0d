package figures

import (
	"cmp"
	"math"
	"slices"

	"gonum.org/v1/plot/vg"
)

// TimeSeries is a figure of several quantities over the same time, one panel a
// quantity: throughput, latency, running containers.
type TimeSeries struct {
	// Title and Subtitle stand above; see [Bars].
	Title, Subtitle string
	// XLabel names the time axis and its unit, for example "time (s)".
	XLabel string
	// Panels are the quantities, from the top down.
	Panels []TimePanel
	// Marks are moments to point out, for example a fault.
	Marks []TimeMark
}

// TimePanel is one quantity.
type TimePanel struct {
	// YLabel names the quantity and its unit.
	YLabel string
	Series []TimeLine
	// YScale is Auto, Linear or Log.
	YScale Scale
}

// TimeLine is one line.
type TimeLine struct {
	// Name is the scheduler or system; Style is as for [BarSeries].
	Name  string
	Style int
	// Times and Values are the points, in any order. What has no partner or is
	// not a number is left out. Many points are thinned so that every peak
	// remains.
	Times, Values []float64
	// Steps: a value holds until the next one (counts), instead of a straight
	// line between them.
	Steps bool
}

// TimeMark is a moment with a name.
type TimeMark struct {
	At   float64
	Name string
}

// Draw draws the figure.
func (t TimeSeries) Draw() Figure {
	p := newPen()
	var names []named
	var times span
	for _, panel := range t.Panels {
		for _, s := range panel.Series {
			names = append(names, named{s.Name, s.Style})
			for _, pt := range s.points() {
				times.add(pt[0])
			}
		}
	}
	for _, m := range t.Marks {
		if times.any {
			times.add(m.At)
		}
	}
	pg := page{title: p.clean(t.Title), subtitle: p.clean(t.Subtitle)}
	if !times.any {
		pg.rows = [][]*chart{{emptyChart("")}}
		return pg.compose(p)
	}
	x := placeScale(times, Linear, 0)
	styles := newLooks(names)
	for i, panel := range t.Panels {
		c := panel.chart(p, styles, x)
		last := i == len(t.Panels)-1
		axis := numberAxis{scale: x, side: bottomSide, bare: !last}
		if last {
			axis.label = p.clean(t.XLabel)
		}
		c.edges = append(c.edges, axis)
		marks := newMarks(p, t.Marks, x, c.width)
		if i == 0 {
			c.above = marks.height()
		}
		data := c.draw
		c.draw = func(p *pen, area vg.Rectangle) {
			marks.draw(p, area, i == 0)
			data(p, area)
		}
		pg.rows = append(pg.rows, []*chart{c})
	}
	return pg.compose(p)
}

// points returns the drawable points in order of time.
func (l TimeLine) points() [][2]float64 {
	var out [][2]float64
	for i := range min(len(l.Times), len(l.Values)) {
		if drawable(l.Times[i]) && drawable(l.Values[i]) {
			out = append(out, [2]float64{l.Times[i], l.Values[i]})
		}
	}
	slices.SortStableFunc(out, func(a, b [2]float64) int { return cmp.Compare(a[0], b[0]) })
	return out
}

func (t TimePanel) chart(p *pen, styles looks, x scale) *chart {
	c := &chart{width: 380, height: 84}
	var values span
	lines := make([][][2]float64, len(t.Series))
	for i, s := range t.Series {
		lines[i] = s.points()
		for _, pt := range lines[i] {
			values.add(pt[1])
		}
		c.entries = append(c.entries, entry{name: p.clean(s.Name), look: styles.of(s.Name, false), kind: lineEntry, bare: true})
	}
	y := valueScale(values, t.YScale, c.height, nil)
	c.edges = []edge{numberAxis{scale: y, label: p.clean(t.YLabel), side: leftSide, none: !values.any}}
	c.draw = func(p *pen, area vg.Rectangle) {
		for i, s := range t.Series {
			style := styles.of(s.Name, false).stroke()
			style.width = 1.2
			plot := linePlot{x: x, y: y, area: area}
			for _, piece := range clip(area, plot.trace(lines[i], s.Steps)) {
				p.line(style, piece...)
			}
		}
		if !values.any {
			p.text(noteFace, faint, vg.Point{X: (area.Min.X + area.Max.X) / 2, Y: (area.Min.Y + area.Max.Y) / 2}, anchor{0.5, 0.5}, 0, "no data")
		}
	}
	return c
}

// trace returns the line through points on the page. Where they are dense, it
// keeps the first, lowest, highest and last of each third of a point of width.
func (l linePlot) trace(points [][2]float64, steps bool) []vg.Point {
	var out []vg.Point
	add := func(pt [2]float64) {
		at := l.place(pt[0], pt[1])
		if steps && len(out) > 0 {
			out = append(out, vg.Point{X: at.X, Y: out[len(out)-1].Y})
		}
		out = append(out, at)
	}
	column := func(pt [2]float64) float64 { return math.Floor(l.x.at(pt[0]) * float64(l.area.Size().X) * 3) }
	for from := 0; from < len(points); {
		to := from + 1
		lowest, highest := from, from
		for ; to < len(points) && column(points[to]) == column(points[from]); to++ {
			if points[to][1] < points[lowest][1] {
				lowest = to
			}
			if points[to][1] > points[highest][1] {
				highest = to
			}
		}
		keep := []int{from, min(lowest, highest), max(lowest, highest), to - 1}
		for _, i := range slices.Compact(keep) {
			add(points[i])
		}
		from = to
	}
	return out
}

// marks are moments, with their names in as many lanes as it takes.
type marks struct {
	at    []float64 // shares of the width
	names []string
	lanes []int
}

const markLane = 9.5

func newMarks(p *pen, of []TimeMark, x scale, width vg.Length) marks {
	var m marks
	var ends []vg.Length // of the last name in each lane
	sorted := slices.DeleteFunc(slices.Clone(of), func(t TimeMark) bool { return !drawable(t.At) })
	slices.SortStableFunc(sorted, func(a, b TimeMark) int { return cmp.Compare(a.At, b.At) })
	for _, t := range sorted {
		name := p.shorten(noteFace, p.clean(t.Name), width/2)
		at := x.at(t.At)
		start := markStart(vg.Length(at)*width, p.width(noteFace, name), width)
		lane := slices.IndexFunc(ends, func(end vg.Length) bool { return end+6 < start })
		if lane < 0 {
			lane = len(ends)
			ends = append(ends, 0)
		}
		ends[lane] = start + p.width(noteFace, name)
		m.at, m.names, m.lanes = append(m.at, at), append(m.names, name), append(m.lanes, lane)
	}
	return m
}

// markStart returns where a name starts so that it is centred on its moment
// but stays over the data.
func markStart(at, name, width vg.Length) vg.Length {
	return max(0, min(at-name/2, width-name))
}

func (m marks) height() vg.Length {
	if len(m.lanes) == 0 {
		return 0
	}
	return 3 + markLane*vg.Length(slices.Max(m.lanes)+1)
}

func (m marks) draw(p *pen, area vg.Rectangle, named bool) {
	width := area.Size().X
	for i, share := range m.at {
		x := area.Min.X + vg.Length(share)*width
		p.line(stroke{color: faint, width: 0.6, dash: []vg.Length{3, 2}}, vg.Point{X: x, Y: area.Min.Y}, vg.Point{X: x, Y: area.Max.Y})
		if named {
			start := markStart(vg.Length(share)*width, p.width(noteFace, m.names[i]), width)
			y := area.Max.Y + 4 + markLane*vg.Length(m.lanes[i])
			p.text(noteFace, faint, vg.Point{X: area.Min.X + start, Y: y}, anchor{}, 0, m.names[i])
		}
	}
}
