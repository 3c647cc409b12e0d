package figures

import (
	"math"

	"gonum.org/v1/plot/vg"
)

// Bars is a figure of groups of bars: a group a workflow, a bar a scheduler.
type Bars struct {
	// Title and Subtitle stand above. The subtitle says how the numbers came
	// about, for example "sim · profile ideal · 5 trials, 95 % intervals".
	Title, Subtitle string
	// YLabel names the quantity and its unit, for example "mean latency (s)".
	YLabel string
	// XLabel names what the groups are; it may be empty.
	XLabel string
	// Groups are the names of the groups, from left to right.
	Groups []string
	// Series are the bars of each group, from left to right.
	Series []BarSeries
	// YScale is Auto, Linear or Log.
	YScale Scale
	// ValueLabels writes the value above each bar.
	ValueLabels bool
}

// BarSeries is one bar in each group.
type BarSeries struct {
	// Name is the scheduler or system. A published series has the name of ours
	// that it belongs to, and is drawn in the same look but hollow.
	Name string
	// Published: the numbers are a paper's.
	Published bool
	// Style fixes the look, from 1, so that a system looks the same in all
	// figures of a report; 0 takes the next free one.
	Style int
	// Values has one estimate for each group; missing ones are marked n/a.
	Values []Estimate
}

// Draw draws the figure.
func (b Bars) Draw() Figure { return drawAlone(b) }

func (b Bars) heading() (title, subtitle string) { return b.Title, b.Subtitle }

func (b Bars) names() []named {
	var out []named
	for _, s := range b.Series {
		out = append(out, named{s.Name, s.Style})
	}
	return out
}

func (b Bars) spans() ranges {
	var r ranges
	for _, s := range b.Series {
		for g := range b.Groups {
			s.value(g).addTo(&r.y)
		}
	}
	if r.y.any {
		r.y.add(0) // a bar is as long as its value only if it starts there
	}
	return r
}

// value returns the estimate of a series in a group.
func (s BarSeries) value(group int) Estimate {
	if group < len(s.Values) {
		e := s.Values[group]
		return Estimate{tame(e.Value), tame(e.Lo), tame(e.Hi), e.Timeout}
	}
	return Estimate{Value: math.NaN()}
}

// note returns the words at a bar, if any.
func (b Bars) note(e Estimate) string {
	switch {
	case e.Timeout:
		return "timeout"
	case e.missing():
		return "n/a"
	case e.Value == 0:
		return "0"
	case b.ValueLabels:
		return format(e.Value)
	}
	return ""
}

// Measures of bars in points.
const (
	stubHeight = 11 // of the bar of a timeout
	notePad    = 2.5
	whiskerCap = 2.2
)

// barGeometry places bars in each of several groups.
type barGeometry struct{ bar, gap, width vg.Length }

// newBarGeometry makes room for the names of the groups to stand level, if that
// does not spread the groups too far.
// Few groups spread over the least width.
func newBarGeometry(p *pen, names []string, bars int, least vg.Length) barGeometry {
	groups := len(names)
	g := barGeometry{bar: 9}
	if bars <= 6 {
		g.bar = 12
	}
	if groups*bars > 60 {
		g.bar = 8.5
	}
	// Few bars are made wider, to a point.
	g.bar = min(max(g.bar, least/vg.Length(groups)*0.7/vg.Length(bars)), 32)
	g.gap = max(8, min(g.bar*1.2, 22), least/vg.Length(groups)-g.bar*vg.Length(bars))
	widest := vg.Length(0)
	for _, name := range names {
		for _, piece := range pieces(p.clean(name)) {
			widest = max(widest, p.width(tickFace, piece)+5)
		}
	}
	pitch := g.bar*vg.Length(bars) + g.gap
	if widest > pitch && widest < pitch*1.6 && widest*vg.Length(groups) < 560 {
		g.gap += widest - pitch
	}
	g.width = vg.Length(groups) * (g.bar*vg.Length(bars) + g.gap)
	return g
}

// at returns the left end of a bar.
func (g barGeometry) at(group, bar, bars int) vg.Length {
	return vg.Length(group)*(g.bar*vg.Length(bars)+g.gap) + g.gap/2 + vg.Length(bar)*g.bar
}

func (b Bars) chart(p *pen, s setting) *chart {
	anything, l := s.y.any, s.looks
	for _, s := range b.Series {
		for g := range b.Groups {
			anything = anything || s.value(g).Timeout
		}
	}
	if !anything || len(b.Groups) == 0 {
		return emptyChart("")
	}
	least, height := s.size(300, 190)
	geometry := newBarGeometry(p, b.Groups, len(b.Series), least)
	c := &chart{width: geometry.width, height: height}

	// Words above a bar stand upright unless all of them fit the bars lying.
	upright := false
	var rooms []room
	for _, s := range b.Series {
		for g := range b.Groups {
			upright = upright || p.width(noteFace, b.note(s.value(g))) > geometry.bar-1
		}
	}
	for _, s := range b.Series {
		for g := range b.Groups {
			rooms = append(rooms, b.room(p, s.value(g), upright))
		}
	}
	y := valueScale(s.y, b.YScale, c.height, rooms)
	axis := numberAxis{scale: y, label: p.clean(b.YLabel), side: leftSide, none: !s.y.any}

	categories := categoryAxis{label: p.clean(b.XLabel)}
	for g, name := range b.Groups {
		from := geometry.at(g, 0, len(b.Series)) - geometry.gap/2
		categories.categories = append(categories.categories, category{
			name: p.clean(name), from: from, to: from + geometry.bar*vg.Length(len(b.Series)) + geometry.gap,
		})
	}
	c.edges = []edge{axis, categories}
	for _, s := range b.Series {
		name := p.clean(s.Name)
		if s.Published {
			name += " (published)"
		}
		c.entries = append(c.entries, entry{name: name, look: l.of(s.Name, s.Published)})
	}
	c.draw = func(p *pen, area vg.Rectangle) {
		for i, s := range b.Series {
			for g := range b.Groups {
				x := area.Min.X + geometry.at(g, i, len(b.Series))
				b.drawBar(p, l.of(s.Name, s.Published), s.value(g), y, area, x, geometry.bar, upright)
			}
		}
		if !y.log && y.lo < 0 {
			zero := area.Min.Y + vg.Length(y.at(0))*c.height
			p.line(tickStroke, vg.Point{X: area.Min.X, Y: zero}, vg.Point{X: area.Max.X, Y: zero})
		}
	}
	return c
}

// room returns the free length that the words at a bar need.
func (b Bars) room(p *pen, e Estimate, upright bool) room {
	note := b.note(e)
	if note == "" {
		return room{}
	}
	length := noteFace.height(1)
	if upright {
		length = p.width(noteFace, note)
	}
	length += 2 * notePad
	switch {
	case e.Timeout:
		return room{at: 0, length: length + stubHeight}
	case e.missing():
		return room{at: 0, length: length}
	case e.Value < 0:
		return room{at: lowest(e), length: -length}
	}
	return room{at: highest(e), length: length}
}

func highest(e Estimate) float64 {
	if e.interval() {
		return max(e.Value, e.Hi)
	}
	return e.Value
}

func lowest(e Estimate) float64 {
	if e.interval() {
		return min(e.Value, e.Lo)
	}
	return e.Value
}

// drawBar draws one bar, its whisker and its words.
func (b Bars) drawBar(p *pen, l look, e Estimate, y scale, area vg.Rectangle, x, width vg.Length, upright bool) {
	height := func(v float64) vg.Length {
		return area.Min.Y + vg.Length(min(max(y.at(v), 0), 1))*area.Size().Y
	}
	base := area.Min.Y
	if !y.log && y.contains(0) {
		base = height(0)
	} else if !y.log && y.hi < 0 {
		base = area.Max.Y
	}
	middle := x + width/2
	top, down := base, false
	switch {
	case e.Timeout:
		top = base + stubHeight
		p.stub(l, box(x, base, x+width, top))
	case e.missing():
	default:
		end := height(e.Value)
		p.swatch(l, box(x, min(base, end), x+width, max(base, end)))
		if e.Value == 0 {
			p.line(stroke{color: l.color, width: 1.2}, vg.Point{X: x, Y: base}, vg.Point{X: x + width, Y: base})
		}
		if e.interval() {
			p.whisker(stroke{color: paper, width: 2.4}, area, middle, height(e.Lo), height(e.Hi), min(whiskerCap, width/3)+0.5)
			p.whisker(stroke{color: ink, width: 0.9}, area, middle, height(e.Lo), height(e.Hi), min(whiskerCap, width/3))
		}
		top, down = height(highest(e)), e.Value < 0
		if down {
			top = height(lowest(e))
		}
	}
	note := b.note(e)
	if note == "" {
		return
	}
	c := ink
	if e.missing() {
		c = faint
	}
	switch {
	case upright && down:
		p.text(noteFace, c, vg.Point{X: middle, Y: top - notePad}, anchor{1, 0.5}, math.Pi/2, note)
	case upright:
		p.text(noteFace, c, vg.Point{X: middle, Y: top + notePad}, anchor{0, 0.5}, math.Pi/2, note)
	case down:
		p.text(noteFace, c, vg.Point{X: middle, Y: top - notePad}, anchor{0.5, 1}, 0, note)
	default:
		p.text(noteFace, c, vg.Point{X: middle, Y: top + notePad}, anchor{0.5, 0}, 0, note)
	}
}

// stub draws a bar that is torn off at its top.
func (p *pen) stub(l look, r vg.Rectangle) {
	const tear = 3.5
	p.swatch(l, r)
	// Paper over the torn part, and its edge.
	const teeth = 4
	points := []vg.Point{{X: r.Max.X + 0.3, Y: r.Max.Y + 0.3}, {X: r.Min.X - 0.3, Y: r.Max.Y + 0.3}}
	var edge []vg.Point
	for i := 0; i <= teeth; i++ {
		y := r.Max.Y - tear
		if i%2 == 1 {
			y = r.Max.Y - 0.5
		}
		x := r.Min.X + r.Size().X*vg.Length(i)/teeth
		edge = append(edge, vg.Point{X: x, Y: y})
	}
	edge[0].X, edge[teeth].X = r.Min.X-0.3, r.Max.X+0.3
	p.fill(paper, polygon(append(points, edge...)...))
	c := l.color
	if !l.hollow {
		c = darker(c)
	}
	p.line(stroke{color: c, width: 0.9}, edge...)
}
