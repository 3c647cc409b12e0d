package figures

import (
	"image/color"
	"math"

	"gonum.org/v1/plot/vg"
)

// chart is one data area with its axes, laid out but for its place.
type chart struct {
	// title stands above the area, in figures of several panels.
	title string
	// width and height are those of the data area.
	width, height vg.Length
	// x and y are its axes; either may be nil.
	edges []edge
	// above is free space above the area, which draw uses.
	above vg.Length
	draw  func(p *pen, area vg.Rectangle)
	// entries are for the legend.
	entries []entry
}

// margins returns the space that the chart needs around its data area.
func (c *chart) margins(p *pen) margins {
	var m margins
	for _, e := range c.edges {
		m.widen(e.measure(p, c.width, c.height))
	}
	m.top += c.above
	if c.title != "" {
		m.top += panelPad + panelFace.height(len(c.titleLines(p)))
	}
	return m
}

func (c *chart) titleLines(p *pen) []string { return p.wrap(panelFace, c.title, c.width, 2) }

// axis returns the axis with a scale on one side, the zero axis if none.
func (c *chart) axis(at side) numberAxis {
	for _, e := range c.edges {
		if a, ok := e.(numberAxis); ok && a.side == at {
			return a
		}
	}
	return numberAxis{side: at, none: true}
}

// change changes the axis with a scale on one side, if there is one.
func (c *chart) change(at side, change func(*numberAxis)) {
	for i, e := range c.edges {
		if a, ok := e.(numberAxis); ok && a.side == at {
			change(&a)
			c.edges[i] = a
		}
	}
}

// drawAt draws the chart around its data area: grid, data, axes, and the title
// at a height above it.
func (c *chart) drawAt(p *pen, at vg.Point, titleTop vg.Length) {
	area := box(at.X, at.Y, at.X+c.width, at.Y+c.height)
	for _, e := range c.edges {
		if g, ok := e.(interface{ grid(*pen, vg.Rectangle) }); ok {
			g.grid(p, area)
		}
	}
	c.draw(p, area)
	for _, e := range c.edges {
		e.draw(p, area)
	}
	if lines := c.titleLines(p); len(lines) > 0 {
		p.text(panelFace, ink, vg.Point{X: area.Min.X, Y: area.Max.Y + titleTop}, anchor{0, 1}, 0, lines...)
	}
}

// emptyChart is what is drawn of no data.
func emptyChart(title string) *chart {
	c := &chart{title: title, width: 300, height: 120}
	c.draw = func(p *pen, area vg.Rectangle) {
		p.outline(stroke{color: grid, width: 0.7}, rectangle(area))
		middle := vg.Point{X: (area.Min.X + area.Max.X) / 2, Y: (area.Min.Y + area.Max.Y) / 2}
		p.text(typeface{size: 10}, faint, middle, anchor{0.5, 0.5}, 0, "no data")
	}
	return c
}

// entryKind is how a series is shown in the legend.
type entryKind int

const (
	swatchEntry entryKind = iota
	lineEntry
	outlineEntry // the critical path
)

// entry is one line of the legend.
type entry struct {
	name string
	look look
	kind entryKind
	// bare leaves out the marker of a line.
	bare bool
}

// Distances of the page in points.
const (
	pagePad   = 12
	panelPad  = 5  // between a panel and its title
	columnGap = 16 // between panels
	rowsGap   = 14
	keyGap    = 4 // between a key and its name
	entryGap  = 14
	legendRow = 13
	minWidth  = 330 // of what is between the margins
)

var (
	titleFace = typeface{size: titleSize, bold: true}
	panelFace = typeface{size: 9, bold: true}
)

// keyWidth returns the width of an entry's key.
func (e entry) keyWidth() vg.Length {
	if e.kind == lineEntry {
		return 26
	}
	return 13
}

func (e entry) drawKey(p *pen, at vg.Point) {
	const high = 8
	w := e.keyWidth()
	switch e.kind {
	case lineEntry:
		y := at.Y + textSize*capHeight/2
		p.line(e.look.stroke(), vg.Point{X: at.X, Y: y}, vg.Point{X: at.X + w, Y: y})
		if !e.bare {
			p.mark(e.look, vg.Point{X: at.X + w/2, Y: y}, 3)
		}
	case outlineEntry:
		p.outline(criticalStroke, rectangle(box(at.X, at.Y-0.7, at.X+w, at.Y-0.7+high)))
	default:
		p.swatch(e.look, box(at.X, at.Y-0.7, at.X+w, at.Y-0.7+high))
	}
}

var criticalStroke = stroke{color: color.RGBA{A: 0xff}, width: 1.2}

// legendRows arranges entries in rows no wider than a width.
func legendRows(p *pen, entries []entry, width vg.Length) [][]entry {
	var rows [][]entry
	used := vg.Length(0)
	for _, e := range entries {
		e.name = p.shorten(labelFace, e.name, width-e.keyWidth()-keyGap)
		w := e.keyWidth() + keyGap + p.width(labelFace, e.name)
		if len(rows) == 0 || used+entryGap+w > width {
			rows, used = append(rows, nil), -entryGap
		}
		used += entryGap + w
		rows[len(rows)-1] = append(rows[len(rows)-1], e)
	}
	return rows
}

// page is all that a figure says around its charts.
type page struct {
	title, subtitle string
	// rows of charts; all charts of a column share its width.
	rows [][]*chart
}

// compose lays out a page and draws it.
func (pg page) compose(p *pen) Figure {
	var entries []entry
	for _, row := range pg.rows {
		for _, c := range row {
			entries = appendNew(entries, c.entries)
		}
	}
	pg.alignLabels(p)
	// Margins are the same down a column and along a row, so that data areas
	// line up.
	var columns, rows []margins
	var widths, heights []vg.Length
	for r, row := range pg.rows {
		rows, heights = append(rows, margins{}), append(heights, 0)
		for c, chart := range row {
			if c == len(columns) {
				columns, widths = append(columns, margins{}), append(widths, 0)
			}
			m := chart.margins(p)
			columns[c].widen(margins{left: m.left, right: m.right})
			rows[r].widen(margins{top: m.top, bottom: m.bottom})
			widths[c], heights[r] = max(widths[c], chart.width), max(heights[r], chart.height)
		}
	}
	inner := -vg.Length(columnGap)
	for c := range columns {
		inner += columnGap + columns[c].left + widths[c] + columns[c].right
	}
	inner = max(inner, minWidth)

	title := p.wrap(titleFace, pg.title, inner, 4)
	subtitle := p.wrap(labelFace, pg.subtitle, inner, 4)
	legend := legendRows(p, entries, inner)
	head := vg.Length(0)
	if len(title) > 0 {
		head += titleFace.height(len(title)) + 4
	}
	if len(subtitle) > 0 {
		head += labelFace.height(len(subtitle)) + 4
	}
	if len(legend) > 0 {
		head += 3 + legendRow*vg.Length(len(legend))
	}
	if head > 0 {
		head += 8
	}
	body := -vg.Length(rowsGap)
	for r := range rows {
		body += rowsGap + rows[r].top + heights[r] + rows[r].bottom
	}

	// Whole points make whole pixels.
	width := vg.Length(math.Ceil(float64(inner + 2*pagePad)))
	height := vg.Length(math.Ceil(float64(head + body + 2*pagePad)))
	p.fill(paper, rectangle(box(0, 0, width, height)))
	y := height - pagePad
	if len(title) > 0 {
		p.text(titleFace, ink, vg.Point{X: pagePad, Y: y}, anchor{0, 1}, 0, title...)
		y -= titleFace.height(len(title)) + 4
	}
	if len(subtitle) > 0 {
		p.text(labelFace, faint, vg.Point{X: pagePad, Y: y}, anchor{0, 1}, 0, subtitle...)
		y -= labelFace.height(len(subtitle)) + 4
	}
	y -= 3
	for _, row := range legend {
		x := vg.Length(pagePad)
		y -= legendRow
		for _, e := range row {
			at := vg.Point{X: x, Y: y + 3}
			e.drawKey(p, at)
			at.X += e.keyWidth() + keyGap
			p.text(labelFace, ink, at, anchor{}, 0, e.name)
			x = at.X + p.width(labelFace, e.name) + entryGap
		}
	}
	y = height - pagePad - head
	for r, row := range pg.rows {
		x := vg.Length(pagePad)
		y -= rows[r].top + heights[r]
		for c, chart := range row {
			x += columns[c].left
			chart.drawAt(p, vg.Point{X: x, Y: y + heights[r] - chart.height}, rows[r].top)
			x += widths[c] + columns[c].right + columnGap
		}
		y -= rows[r].bottom + rowsGap
	}
	return Figure{title: pg.title, width: width, height: height, drawing: p.canvas.Actions}
}

// alignLabels puts the labels of the left axes of a column below each other.
func (pg page) alignLabels(p *pen) {
	var widest []vg.Length
	for _, row := range pg.rows {
		for c, chart := range row {
			if c == len(widest) {
				widest = append(widest, 0)
			}
			widest[c] = max(widest[c], chart.axis(leftSide).widest(p, chart.height))
		}
	}
	for _, row := range pg.rows {
		for c, chart := range row {
			chart.change(leftSide, func(a *numberAxis) { a.labelRoom = widest[c] })
		}
	}
}

// appendNew appends the entries that are not there yet.
func appendNew(entries, more []entry) []entry {
	for _, e := range more {
		known := false
		for _, have := range entries {
			known = known || have.name == e.name && have.kind == e.kind && have.look.hollow == e.look.hollow
		}
		if !known {
			entries = append(entries, e)
		}
	}
	return entries
}
