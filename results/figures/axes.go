package figures

import (
	"image/color"
	"math"

	"gonum.org/v1/plot/vg"
)

// Distances in points.
const (
	tickLength = 3
	tickPad    = 3 // between a tick and its label
	labelPad   = 6 // between tick labels and the label of the axis
	minorTick  = 1.6
)

var (
	axisStroke = stroke{color: color.RGBA{0x44, 0x44, 0x44, 0xff}, width: 0.7}
	tickStroke = stroke{color: color.RGBA{0x44, 0x44, 0x44, 0xff}, width: 0.5}
	gridStroke = stroke{color: grid, width: 0.5}
	tickFace   = typeface{size: tickSize}
	labelFace  = typeface{size: textSize}
	noteFace   = typeface{size: noteSize}
)

// side is where an axis is.
type side int

const (
	bottomSide side = iota
	leftSide
	rightSide
	topSide
)

// margins is the space that something needs around the data area.
type margins struct{ left, bottom, right, top vg.Length }

func (m *margins) widen(other margins) {
	m.left, m.right = max(m.left, other.left), max(m.right, other.right)
	m.bottom, m.top = max(m.bottom, other.bottom), max(m.top, other.top)
}

// edge is what stands along one side of the data area.
type edge interface {
	measure(p *pen, width, height vg.Length) margins
	draw(p *pen, area vg.Rectangle)
}

// numberAxis is an axis with a scale.
type numberAxis struct {
	scale scale
	label string
	side  side
	// bare leaves out labels, for panels that share an axis.
	bare bool
	// none is set when there is nothing to label.
	none bool
	// labelRoom is the room kept for tick labels of upright axes, at least.
	labelRoom vg.Length
}

func (n number) width(p *pen) vg.Length {
	w := p.width(tickFace, n.digits)
	if n.exponent != "" {
		w += p.width(raised(tickFace), n.exponent)
	}
	return w
}

func raised(t typeface) typeface { return typeface{size: t.size * 0.72, bold: t.bold} }

// drawNumber draws a number; its left end or its right end is at a point.
func (p *pen) drawNumber(n number, at vg.Point, a anchor) {
	at.X -= a.x * n.width(p)
	p.text(tickFace, ink, at, anchor{0, a.y}, 0, n.digits)
	if n.exponent != "" {
		at.X += p.width(tickFace, n.digits)
		at.Y += tickSize * (capHeight*(1-a.y) - capHeight*0.45)
		p.text(raised(tickFace), ink, at, anchor{}, 0, n.exponent)
	}
}

func (a numberAxis) upright() bool { return a.side == leftSide || a.side == rightSide }

// ticks returns the ticks for a length of the axis.
func (a numberAxis) ticks(p *pen, length vg.Length) []tick {
	if a.none {
		return nil
	}
	return a.scale.ticks(length, func(n number) vg.Length {
		if a.upright() {
			return 14
		}
		return n.width(p) + 9
	})
}

// widest returns the width of the widest tick label.
func (a numberAxis) widest(p *pen, length vg.Length) vg.Length {
	w := vg.Length(0)
	for _, t := range a.ticks(p, length) {
		w = max(w, t.label.width(p))
	}
	return w
}

// labelLines returns the label of the axis, wrapped along it.
func (a numberAxis) labelLines(p *pen, length vg.Length) []string {
	return p.wrap(labelFace, a.label, length, 3)
}

func (a numberAxis) measure(p *pen, width, height vg.Length) margins {
	length := width
	if a.upright() {
		length = height
	}
	var m margins
	across, over := vg.Length(tickLength), vg.Length(0) // over the ends
	if !a.bare {
		if a.upright() {
			across += tickPad + max(a.labelRoom, a.widest(p, length))
			over = tickSize * 0.5
		} else {
			across += tickPad + tickFace.height(1)
			for _, t := range a.ticks(p, length) {
				half, x := t.label.width(p)/2, vg.Length(a.scale.at(t.at))*width
				m.left, m.right = max(m.left, half-x), max(m.right, x+half-width)
			}
		}
		if lines := a.labelLines(p, length); len(lines) > 0 {
			across += labelPad + labelFace.height(len(lines))
		}
	}
	switch a.side {
	case leftSide:
		m.widen(margins{left: across, bottom: over, top: over})
	case rightSide:
		m.widen(margins{right: across, bottom: over, top: over})
	case bottomSide:
		m.widen(margins{bottom: across})
	case topSide:
		m.widen(margins{top: across})
	}
	return m
}

// grid draws the lines that belong to the labelled ticks.
func (a numberAxis) grid(p *pen, area vg.Rectangle) {
	size := area.Size()
	var lines [][2]vg.Point
	if a.upright() {
		for _, t := range a.ticks(p, size.Y) {
			if t.label.digits != "" {
				y := area.Min.Y + vg.Length(a.scale.at(t.at))*size.Y
				lines = append(lines, [2]vg.Point{{X: area.Min.X, Y: y}, {X: area.Max.X, Y: y}})
			}
		}
	} else {
		for _, t := range a.ticks(p, size.X) {
			if t.label.digits != "" {
				x := area.Min.X + vg.Length(a.scale.at(t.at))*size.X
				lines = append(lines, [2]vg.Point{{X: x, Y: area.Min.Y}, {X: x, Y: area.Max.Y}})
			}
		}
	}
	p.segments(gridStroke, lines)
}

func (a numberAxis) draw(p *pen, area vg.Rectangle) {
	size := area.Size()
	length, line := size.X, [2]vg.Point{area.Min, {X: area.Max.X, Y: area.Min.Y}}
	out := vg.Point{Y: -1} // away from the data
	switch a.side {
	case topSide:
		line, out = [2]vg.Point{{X: area.Min.X, Y: area.Max.Y}, area.Max}, vg.Point{Y: 1}
	case leftSide:
		length, line, out = size.Y, [2]vg.Point{area.Min, {X: area.Min.X, Y: area.Max.Y}}, vg.Point{X: -1}
	case rightSide:
		length, line, out = size.Y, [2]vg.Point{{X: area.Max.X, Y: area.Min.Y}, area.Max}, vg.Point{X: 1}
	}
	along := line[1].Sub(line[0])
	p.line(axisStroke, line[0], line[1])
	var marks [][2]vg.Point
	for _, t := range a.ticks(p, length) {
		at := line[0].Add(along.Scale(vg.Length(a.scale.at(t.at))))
		if t.label.digits == "" {
			marks = append(marks, [2]vg.Point{at, at.Add(out.Scale(minorTick))})
			continue
		}
		marks = append(marks, [2]vg.Point{at, at.Add(out.Scale(tickLength))})
		if a.bare {
			continue
		}
		p.drawNumber(t.label, at.Add(out.Scale(tickLength+tickPad)), anchor{0.5 - out.X/2, 0.5 - out.Y/2}.towards(out))
	}
	p.segments(tickStroke, marks)
	lines := a.labelLines(p, length)
	if a.bare || len(lines) == 0 {
		return
	}
	middle, widest := line[0].Add(along.Scale(0.5)), max(a.labelRoom, a.widest(p, length))
	switch a.side {
	case bottomSide:
		y := middle.Y - tickLength - tickPad - tickFace.height(1) - labelPad
		p.text(labelFace, ink, vg.Point{X: middle.X, Y: y}, anchor{0.5, 1}, 0, lines...)
	case topSide:
		y := middle.Y + tickLength + tickPad + tickFace.height(1) + labelPad + textSize*descent
		p.text(labelFace, ink, vg.Point{X: middle.X, Y: y}, anchor{0.5, 0}, 0, lines...)
	case leftSide:
		x := middle.X - tickLength - tickPad - widest - labelPad - textSize*descent
		p.text(labelFace, ink, vg.Point{X: x, Y: middle.Y}, anchor{0.5, 0}, math.Pi/2, lines...)
	case rightSide:
		x := middle.X + tickLength + tickPad + widest + labelPad + textSize*descent
		p.text(labelFace, ink, vg.Point{X: x, Y: middle.Y}, anchor{0.5, 0}, -math.Pi/2, lines...)
	}
}

// towards turns the anchor of a tick label, which hangs off the axis in the
// direction out: centred along the axis.
func (a anchor) towards(out vg.Point) anchor {
	switch {
	case out.X < 0:
		return anchor{1, 0.5}
	case out.X > 0:
		return anchor{0, 0.5}
	case out.Y < 0:
		return anchor{0.5, 1}
	}
	return anchor{0.5, 0}
}

// category is a named stretch of a category axis, in points from its left end.
type category struct {
	name     string
	from, to vg.Length
	members  []category // bars within a group, if they have names of their own
}

// categoryAxis names what stands along the bottom: groups, and the bars in
// them.
type categoryAxis struct {
	categories []category
	label      string
}

// longestName is where names begin to be shortened.
const longestName = 190

// layout says how a row of names is drawn.
type nameLayout struct {
	lines  [][]string // wrapped, one entry a name
	turned bool       // by 45 degrees
	height vg.Length
	left   vg.Length // how far a name reaches beyond the left end of the axis
	right  vg.Length
}

// level lays out one row of names: level if they all fit wrapped, else turned.
func levelNames(p *pen, t typeface, names []category, width vg.Length) nameLayout {
	out := nameLayout{}
	for _, c := range names {
		if !p.wrapsWhole(t, c.name, c.to-c.from-4, 3) {
			out.turned = true
		}
	}
	for _, c := range names {
		if !out.turned {
			lines := p.wrap(t, c.name, c.to-c.from-4, 3)
			out.lines = append(out.lines, lines)
			out.height = max(out.height, t.height(len(lines)))
			continue
		}
		name := p.shorten(t, c.name, longestName)
		out.lines = append(out.lines, []string{name})
		reach := p.width(t, name) * math.Sqrt2 / 2
		out.height = max(out.height, reach+t.size*capHeight)
		middle := (c.from + c.to) / 2
		out.left = max(out.left, reach-middle+2)
		out.right = max(out.right, middle+t.size*capHeight-width)
	}
	return out
}

// wrapNames lays out names of groups under turned names of bars: always level,
// shortened if need be.
func wrapNames(p *pen, t typeface, names []category) nameLayout {
	out := nameLayout{}
	for _, c := range names {
		lines := p.wrap(t, c.name, c.to-c.from-4, 3)
		out.lines = append(out.lines, lines)
		out.height = max(out.height, t.height(len(lines)))
	}
	return out
}

// rows returns the layouts of the axis from top to bottom, with what they name.
func (a categoryAxis) rows(p *pen, width vg.Length) (layouts []nameLayout, names [][]category) {
	var members []category
	for _, c := range a.categories {
		members = append(members, c.members...)
	}
	if len(members) > 0 {
		return []nameLayout{levelNames(p, tickFace, members, width), wrapNames(p, groupFace, a.categories)}, [][]category{members, a.categories}
	}
	return []nameLayout{levelNames(p, tickFace, a.categories, width)}, [][]category{a.categories}
}

var groupFace = typeface{size: tickSize, bold: true}

// rowGap is the distance between the names of bars and of groups.
const rowGap = 6

func (a categoryAxis) measure(p *pen, width, _ vg.Length) margins {
	m := margins{bottom: tickPad}
	layouts, _ := a.rows(p, width)
	for _, l := range layouts {
		m.bottom += l.height + rowGap
		m.left, m.right = max(m.left, l.left), max(m.right, l.right)
	}
	m.bottom -= rowGap
	if lines := p.wrap(labelFace, a.label, width, 2); len(lines) > 0 {
		m.bottom += labelPad + labelFace.height(len(lines))
	}
	return m
}

func (a categoryAxis) draw(p *pen, area vg.Rectangle) {
	p.line(axisStroke, area.Min, vg.Point{X: area.Max.X, Y: area.Min.Y})
	y := area.Min.Y - tickPad
	layouts, names := a.rows(p, area.Size().X)
	for row, l := range layouts {
		face := tickFace
		if row > 0 {
			face = groupFace
		}
		for i, c := range names[row] {
			middle := area.Min.X + (c.from+c.to)/2
			if row > 0 {
				top := y + rowGap*0.6
				p.line(tickStroke, vg.Point{X: area.Min.X + c.from + 2, Y: top}, vg.Point{X: area.Min.X + c.to - 2, Y: top})
			}
			if l.turned {
				// The top right corner of the capitals is below the bar.
				shift := face.size * capHeight * 0.5
				p.text(face, ink, vg.Point{X: middle + shift, Y: y}, anchor{1, 1}, math.Pi/4, l.lines[i]...)
				continue
			}
			p.text(face, ink, vg.Point{X: middle, Y: y}, anchor{0.5, 1}, 0, l.lines[i]...)
		}
		y -= l.height + rowGap
	}
	y += rowGap
	if lines := p.wrap(labelFace, a.label, area.Size().X, 2); len(lines) > 0 {
		p.text(labelFace, ink, vg.Point{X: (area.Min.X + area.Max.X) / 2, Y: y - labelPad}, anchor{0.5, 1}, 0, lines...)
	}
}
