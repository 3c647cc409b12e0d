package figures

import (
	"cmp"
	"slices"

	"gonum.org/v1/plot/vg"
)

// Gantt is a figure of one invocation: what each function instance did when,
// and where.
type Gantt struct {
	// Title and Subtitle stand above; see [Bars].
	Title, Subtitle string
	// XLabel names the time axis and its unit, for example "time since the
	// request (s)".
	XLabel string
	// Rows stand from the top down.
	Rows []GanttRow
}

// GanttRow is one function instance.
type GanttRow struct {
	// Name of the function instance and Node it ran on.
	Name, Node string
	// Critical: the row is on the critical path. Its row is framed, its name
	// bold, and a line joins it to the next row of the path.
	Critical bool
	// Spans are what the instance did, in any order.
	Spans []GanttSpan
}

// GanttSpan is a phase of a function instance. Phases are named as in
// [Breakdown].
type GanttSpan struct {
	Phase    string
	From, To float64
}

// drawable reports whether the span can be drawn.
func (s GanttSpan) drawable() bool {
	return drawable(s.From) && drawable(s.To) && s.From <= s.To
}

// reach returns the beginning and the end of all spans of a row.
func (r GanttRow) reach() span {
	var out span
	for _, s := range r.Spans {
		if s.drawable() {
			out.add(s.From, s.To)
		}
	}
	return out
}

// Draw draws the figure.
func (g Gantt) Draw() Figure {
	p := newPen()
	return page{title: p.clean(g.Title), subtitle: p.clean(g.Subtitle), rows: [][]*chart{{g.chart(p)}}}.compose(p)
}

// phases returns the names of all phases: flowtwin's in the order in which an
// instance goes through them, then the others in order of appearance.
func (g Gantt) phases() []string {
	var out []string
	for _, row := range g.Rows {
		for _, s := range row.Spans {
			if s.drawable() && !slices.Contains(out, s.Phase) {
				out = append(out, s.Phase)
			}
		}
	}
	order := []string{"engine", "state sync", "control message", "queue", "cold start", "failed try", "fetch", "compute", "conflict retry", "put"}
	rank := func(name string) int {
		if i := slices.Index(order, name); i >= 0 {
			return i
		}
		return len(order)
	}
	slices.SortStableFunc(out, func(a, b string) int { return cmp.Compare(rank(a), rank(b)) })
	return out
}

func (g Gantt) chart(p *pen) *chart {
	var times span
	critical := false
	for _, row := range g.Rows {
		reach := row.reach()
		times.merge(reach)
		critical = critical || row.Critical && reach.any
	}
	if !times.any {
		return emptyChart("")
	}
	rows := newRowAxis(p, g.Rows)
	c := &chart{width: 360, height: rows.pitch * vg.Length(len(g.Rows))}
	x := placeScale(times, Linear, 0)
	if times.lo >= 0 && times.lo < 0.2*times.hi {
		x.lo = 0
	}
	c.edges = []edge{rows, numberAxis{scale: x, label: p.clean(g.XLabel), side: bottomSide}}
	if len(g.Rows) > 40 {
		c.edges = append(c.edges, rightAxis{numberAxis{scale: x, side: topSide}})
	}
	styles := phaseLooks(g.phases())
	for _, phase := range g.phases() {
		c.entries = append(c.entries, entry{name: p.clean(phase), look: styles[phase]})
	}
	if critical {
		c.entries = append(c.entries, entry{name: "critical path", kind: outlineEntry})
	}
	c.draw = func(p *pen, area vg.Rectangle) {
		at := func(t float64) vg.Length { return area.Min.X + vg.Length(x.at(t))*c.width }
		bar := func(i int, from, to float64) vg.Rectangle {
			middle := area.Max.Y - rows.pitch*(vg.Length(i)+0.5)
			half := rows.pitch * 0.34
			return box(at(from), middle-half, max(at(to), at(from)+0.6), middle+half)
		}
		for i, row := range g.Rows {
			for _, s := range row.Spans {
				if s.drawable() {
					p.swatch(styles[s.Phase], bar(i, s.From, s.To))
				}
			}
		}
		g.drawCriticalPath(p, bar)
	}
	return c
}

// drawCriticalPath frames the rows of the path and joins them in order of time.
func (g Gantt) drawCriticalPath(p *pen, bar func(row int, from, to float64) vg.Rectangle) {
	type stop struct {
		row   int
		reach span
	}
	var path []stop
	for i, row := range g.Rows {
		if reach := row.reach(); row.Critical && reach.any {
			path = append(path, stop{i, reach})
		}
	}
	slices.SortStableFunc(path, func(a, b stop) int { return cmp.Compare(a.reach.lo, b.reach.lo) })
	for i, s := range path {
		frame := bar(s.row, s.reach.lo, s.reach.hi)
		p.outline(criticalStroke, rectangle(frame))
		if i == 0 {
			continue
		}
		before := bar(path[i-1].row, path[i-1].reach.lo, path[i-1].reach.hi)
		// Down (or up) from where the one did what the other waited for, which
		// may be before its end, then across to the other.
		start := vg.Point{X: min(before.Max.X, frame.Min.X), Y: before.Min.Y}
		end := vg.Point{X: frame.Min.X, Y: (frame.Min.Y + frame.Max.Y) / 2}
		if path[i-1].row > s.row {
			start.Y = before.Max.Y
		}
		p.line(stroke{color: black, width: 0.9}, start, vg.Point{X: start.X, Y: end.Y}, end)
	}
}

// rowAxis names the rows: the function, and the node it ran on.
type rowAxis struct {
	rows       []GanttRow
	names      []string
	nodes      []string
	face       typeface
	pitch      vg.Length
	nameWidth  vg.Length
	nodesWidth vg.Length
	columnGap  vg.Length
}

func newRowAxis(p *pen, rows []GanttRow) rowAxis {
	a := rowAxis{rows: rows, face: tickFace, pitch: 14}
	switch {
	case len(rows) > 80:
		a.face, a.pitch = typeface{size: 6.5}, 8.5
	case len(rows) > 30:
		a.face, a.pitch = typeface{size: 7}, 10.5
	}
	for _, r := range rows {
		face := a.face
		face.bold = r.Critical
		name := p.shorten(face, p.clean(r.Name), 150)
		node := p.shorten(a.face, p.clean(r.Node), 90)
		a.names, a.nodes = append(a.names, name), append(a.nodes, node)
		a.nameWidth = max(a.nameWidth, p.width(face, name))
		a.nodesWidth = max(a.nodesWidth, p.width(a.face, node))
	}
	if a.nodesWidth > 0 {
		a.columnGap = 9
	}
	return a
}

func (a rowAxis) measure(_ *pen, _, _ vg.Length) margins {
	return margins{left: a.nameWidth + a.columnGap + a.nodesWidth + 5}
}

// grid shades every other row, so that the eye keeps to it.
func (a rowAxis) grid(p *pen, area vg.Rectangle) {
	left := area.Min.X - a.nameWidth - a.columnGap - a.nodesWidth - 5
	for i := 1; i < len(a.rows); i += 2 {
		top := area.Max.Y - a.pitch*vg.Length(i)
		p.fill(zebra, rectangle(box(left, top-a.pitch, area.Max.X, top)))
	}
}

func (a rowAxis) draw(p *pen, area vg.Rectangle) {
	p.line(axisStroke, area.Min, vg.Point{X: area.Min.X, Y: area.Max.Y})
	nodes := area.Min.X - 5 - a.nodesWidth
	for i, r := range a.rows {
		y := area.Max.Y - a.pitch*(vg.Length(i)+0.5)
		face := a.face
		face.bold = r.Critical
		p.text(face, ink, vg.Point{X: nodes - a.columnGap - a.nameWidth, Y: y}, anchor{0, 0.5}, 0, a.names[i])
		p.text(a.face, faint, vg.Point{X: nodes, Y: y}, anchor{0, 0.5}, 0, a.nodes[i])
	}
}
