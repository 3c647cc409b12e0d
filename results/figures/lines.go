package figures

import (
	"cmp"
	"slices"

	"gonum.org/v1/plot/vg"
)

// Lines is a figure of a quantity over a rate, a size or a time: lines with
// markers and intervals.
type Lines struct {
	// Title and Subtitle stand above; see [Bars].
	Title, Subtitle string
	// XLabel and YLabel name the axes, with units: "rate (requests/min)".
	XLabel, YLabel string
	// RightLabel names the second axis, on which the series marked Right
	// stand. It may use another unit.
	RightLabel string
	// Series are the lines.
	Series []LineSeries
	// XScale, YScale and RightScale are Auto, Linear or Log.
	XScale, YScale, RightScale Scale
}

// LineSeries is one line.
type LineSeries struct {
	// Name is the scheduler or system; Published and Style are as for
	// [BarSeries].
	Name      string
	Published bool
	Style     int
	// Right puts the line on the second axis.
	Right bool
	// Scattered leaves out the line between the points.
	Scattered bool
	// Unmarked leaves out the markers of the points.
	Unmarked bool
	// Points of the line, in any order. A timeout is a marker in a lane above
	// the axis; a missing value interrupts the line.
	Points []Point
	// Ringed are places on the x axis whose points have a ring around them; the
	// subtitle says what that means.
	Ringed []float64
}

// Point is an estimate at a place on the x axis.
type Point struct {
	X float64
	Estimate
}

// Draw draws the figure.
func (l Lines) Draw() Figure { return drawAlone(l) }

func (l Lines) heading() (title, subtitle string) { return l.Title, l.Subtitle }

func (l Lines) names() []named {
	var out []named
	for _, s := range l.Series {
		out = append(out, named{s.Name, s.Style})
	}
	return out
}

// spans leaves out the second axis, which panels never share.
func (l Lines) spans() ranges {
	var r ranges
	for _, s := range l.Series {
		for _, pt := range s.Points {
			if pt.missing() {
				continue
			}
			r.x.add(pt.X)
			if !s.Right && drawable(pt.X) {
				pt.addTo(&r.y)
			}
		}
	}
	return r
}

func (l Lines) rightSpan() span {
	var out span
	for _, s := range l.Series {
		for _, pt := range s.Points {
			if s.Right && drawable(pt.X) {
				pt.addTo(&out)
			}
		}
	}
	return out
}

// Measures of lines in points.
const (
	markerRadius = 2.8
	hollowRadius = 3.9
	ringRadius   = 5.6
	laneHeight   = 9.5 // of the timeouts of one series
	laneGap      = 5   // between the data and the lanes
)

func (l Lines) chart(p *pen, set setting) *chart {
	right, styles := l.rightSpan(), set.looks
	if !set.x.any {
		return emptyChart("")
	}
	c := &chart{}
	c.width, c.height = set.size(330, 190)
	x := placeScale(set.x, l.XScale, 0.04)
	y := valueScale(set.y, l.YScale, c.height, nil)
	yRight := valueScale(right, l.RightScale, c.height, nil)
	if right.any && set.y.any {
		y, yRight = sameDecades(y, yRight)
	}

	lanes := make([]int, len(l.Series)) // lane of each series, from 1
	used := 0
	for i, s := range l.Series {
		if slices.ContainsFunc(s.Points, func(pt Point) bool { return pt.Timeout && drawable(pt.X) }) {
			used++
			lanes[i] = used
		}
	}
	if used > 0 {
		c.above = laneGap + laneHeight*vg.Length(used)
	}

	c.edges = []edge{
		numberAxis{scale: y, label: p.clean(l.YLabel), side: leftSide, none: !set.y.any},
		numberAxis{scale: x, label: p.clean(l.XLabel), side: bottomSide},
	}
	if used > 0 {
		c.edges = append(c.edges, laneAxis{used})
	}
	if right.any {
		c.edges = append(c.edges, rightAxis{numberAxis{scale: yRight, label: p.clean(l.RightLabel), side: rightSide}})
	}
	for _, s := range l.Series {
		name := p.clean(s.Name)
		switch {
		case s.Published && s.Right:
			name += " (published, right axis)"
		case s.Published:
			name += " (published)"
		case s.Right:
			name += " (right axis)"
		}
		c.entries = append(c.entries, entry{name: name, look: styles.of(s.Name, s.Published), kind: lineEntry, bare: s.Unmarked})
	}
	c.draw = func(p *pen, area vg.Rectangle) {
		// What was published first, in larger markers, so that ours lie on them.
		order := make([]int, 0, len(l.Series))
		for _, published := range []bool{true, false} {
			for i, s := range l.Series {
				if s.Published == published {
					order = append(order, i)
				}
			}
		}
		for _, i := range order {
			s, vertical := l.Series[i], y
			if s.Right {
				vertical = yRight
			}
			plotted := linePlot{look: styles.of(s.Name, s.Published), x: x, y: vertical, area: area}
			if lanes[i] > 0 {
				plotted.lane = area.Max.Y + laneGap + laneHeight*(vg.Length(lanes[i])-0.5)
			}
			plotted.draw(p, s)
		}
	}
	return c
}

// sameDecades makes two logarithmic axes span as many decades, so that equal
// slopes mean equal growth.
func sameDecades(a, b scale) (scale, scale) {
	if !a.log || !b.log {
		return a, b
	}
	ratio := max(a.hi/a.lo, b.hi/b.lo)
	a.hi, b.hi = a.lo*ratio, b.lo*ratio
	return a, b
}

// rightAxis is a second axis: it has no grid.
type rightAxis struct{ axis numberAxis }

func (a rightAxis) measure(p *pen, width, height vg.Length) margins {
	return a.axis.measure(p, width, height)
}
func (a rightAxis) draw(p *pen, area vg.Rectangle) { a.axis.draw(p, area) }

// laneAxis names the lanes of timeouts above the data.
type laneAxis struct{ lanes int }

const laneWord = "timeout"

func (laneAxis) measure(p *pen, _, _ vg.Length) margins {
	return margins{left: p.width(noteFace, laneWord) + tickLength + tickPad}
}

func (a laneAxis) draw(p *pen, area vg.Rectangle) {
	bottom := area.Max.Y + laneGap
	height := laneHeight * vg.Length(a.lanes)
	p.text(noteFace, ink, vg.Point{X: area.Min.X - tickLength - tickPad, Y: bottom + height/2}, anchor{1, 0.5}, 0, laneWord)
	p.line(axisStroke, vg.Point{X: area.Min.X, Y: bottom}, vg.Point{X: area.Min.X, Y: bottom + height})
}

// grid shades the lanes: they are not part of the axis below.
func (a laneAxis) grid(p *pen, area vg.Rectangle) {
	bottom := area.Max.Y + laneGap
	p.fill(zebra, rectangle(box(area.Min.X, bottom, area.Max.X, bottom+laneHeight*vg.Length(a.lanes))))
}

// linePlot draws one series.
type linePlot struct {
	look look
	x, y scale
	area vg.Rectangle
	lane vg.Length // height of the markers of timeouts
}

func (l linePlot) place(x, y float64) vg.Point {
	size := l.area.Size()
	return vg.Point{
		X: l.area.Min.X + vg.Length(l.x.at(x))*size.X,
		Y: l.area.Min.Y + vg.Length(l.y.at(y))*size.Y,
	}
}

func (l linePlot) draw(p *pen, s LineSeries) {
	points := slices.DeleteFunc(slices.Clone(s.Points), func(pt Point) bool { return !drawable(pt.X) })
	slices.SortStableFunc(points, func(a, b Point) int { return cmp.Compare(a.X, b.X) })
	var run []vg.Point
	var last *vg.Point // where a line to a timeout starts
	flush := func() {
		if !s.Scattered {
			for _, piece := range clip(l.area, run) {
				p.line(l.look.stroke(), piece...)
			}
		}
		run = nil
	}
	for _, pt := range points {
		switch {
		case pt.missing():
			flush()
			last = nil
		case pt.Timeout:
			flush()
			at := vg.Point{X: l.place(pt.X, 0).X, Y: l.lane}
			if last != nil && !s.Scattered {
				p.line(stroke{color: l.look.color, width: 0.7, dash: []vg.Length{1, 2}}, *last, at)
			}
			last = nil
		default:
			at := l.place(pt.X, pt.Value)
			run = append(run, at)
			last = &at
		}
	}
	flush()
	radius := vg.Length(markerRadius)
	if l.look.hollow {
		radius = hollowRadius
	}
	for _, pt := range points {
		if pt.interval() {
			at, lo, hi := l.place(pt.X, pt.Value), l.place(pt.X, pt.Lo), l.place(pt.X, pt.Hi)
			p.whisker(stroke{color: l.look.color, width: 0.8}, l.area, at.X, lo.Y, hi.Y, whiskerCap)
		}
	}
	for _, pt := range points {
		switch {
		case s.Unmarked:
		case pt.Timeout:
			p.mark(l.look, vg.Point{X: l.place(pt.X, 0).X, Y: l.lane}, radius)
		case pt.number():
			at := l.place(pt.X, pt.Value)
			p.mark(l.look, at, radius)
			if slices.Contains(s.Ringed, pt.X) {
				p.outline(stroke{color: l.look.color, width: 1.1}, circle(at, ringRadius))
			}
		}
	}
}
