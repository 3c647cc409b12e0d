package figures

import (
	"math"

	"gonum.org/v1/plot/vg"
)

// Breakdown is a figure of what a latency is made of: stacked bars of phases,
// in groups.
type Breakdown struct {
	// Title and Subtitle stand above; see [Bars].
	Title, Subtitle string
	// YLabel names the quantity and its unit, for example "mean latency (s)".
	YLabel string
	// Phases are the names of the parts, from the bottom up. The phases of
	// flowtwin (queue, cold start, transfer, fetch, compute and so on) look the
	// same in all figures.
	Phases []string
	// Groups stand from left to right: a group a workflow.
	Groups []BreakdownGroup
	// TotalLabels writes the total above each bar.
	TotalLabels bool
}

// BreakdownGroup is a group of bars.
type BreakdownGroup struct {
	Name string
	// Bars stand from left to right: a bar a scheduler.
	Bars []BreakdownBar
}

// BreakdownBar is one stacked bar.
type BreakdownBar struct {
	// Name is written below the bar; leave it empty in all bars if each group
	// has one bar only.
	Name string
	// Parts has one number for each phase. What is not a number above zero
	// adds nothing.
	Parts []float64
	// Timeout: the measurement ran into its time-out; Parts do not count.
	Timeout bool
}

// Draw draws the figure.
func (b Breakdown) Draw() Figure { return drawAlone(b) }

func (b Breakdown) heading() (title, subtitle string) { return b.Title, b.Subtitle }

// names is empty: looks belong to phases here.
func (b Breakdown) names() []named { return nil }

func (b Breakdown) spans() ranges {
	var r ranges
	for _, g := range b.Groups {
		for _, bar := range g.Bars {
			if total := b.total(bar); total > 0 {
				r.y.add(total)
			}
		}
	}
	if r.y.any {
		r.y.add(0)
	}
	return r
}

// part returns the share of a phase.
func (b Breakdown) part(bar BreakdownBar, phase int) float64 {
	if phase >= len(bar.Parts) || bar.Timeout || !drawable(bar.Parts[phase]) {
		return 0
	}
	return max(bar.Parts[phase], 0)
}

func (b Breakdown) total(bar BreakdownBar) float64 {
	total := 0.0
	for i := range b.Phases {
		total += b.part(bar, i)
	}
	return total
}

func (b Breakdown) note(bar BreakdownBar) string {
	total := b.total(bar)
	switch {
	case bar.Timeout:
		return "timeout"
	case total == 0:
		return "0"
	case b.TotalLabels:
		return format(total)
	}
	return ""
}

func (b Breakdown) chart(p *pen, s setting) *chart {
	const barGap, groupGap = 3, 16
	anything := s.y.any
	for _, g := range b.Groups {
		for _, bar := range g.Bars {
			anything = anything || bar.Timeout
		}
	}
	if !anything || len(b.Phases) == 0 {
		return emptyChart("")
	}
	c := &chart{}
	var least vg.Length // width of the data area: few bars spread over it
	least, c.height = s.size(310, 190)
	most := 1
	for _, g := range b.Groups {
		most = max(most, len(g.Bars))
	}
	groupWidth := least / vg.Length(len(b.Groups))
	pitch := min(max((groupWidth-groupGap)/vg.Length(most), 20), 48)
	barWidth := min(pitch-barGap, 30)
	var axis categoryAxis
	var lefts [][]vg.Length
	var rooms []room
	upright := false
	for _, g := range b.Groups {
		group := category{name: p.clean(g.Name), from: c.width}
		named := false
		var at []vg.Length
		x := c.width + groupGap/2
		for _, bar := range g.Bars {
			at = append(at, x+(pitch-barWidth)/2)
			group.members = append(group.members, category{name: p.clean(bar.Name), from: x, to: x + pitch})
			named = named || bar.Name != ""
			x += pitch
			upright = upright || p.width(noteFace, b.note(bar)) > pitch-1
		}
		if !named {
			group.members = nil
		}
		widest := vg.Length(36)
		for _, piece := range pieces(group.name) { // so that no word is broken
			widest = max(widest, min(p.width(groupFace, piece)+6, 100))
		}
		group.to = max(x+groupGap/2, c.width+max(groupWidth, widest))
		if extra := group.to - (x + groupGap/2); extra > 0 { // centre few bars
			for i := range at {
				at[i] += extra / 2
			}
			for i := range group.members {
				group.members[i].from += extra / 2
				group.members[i].to += extra / 2
			}
		}
		c.width = group.to
		lefts = append(lefts, at)
		axis.categories = append(axis.categories, group)
	}
	for _, g := range b.Groups {
		for _, bar := range g.Bars {
			rooms = append(rooms, b.room(p, bar, upright))
		}
	}
	y := valueScale(s.y, Linear, c.height, rooms)
	c.edges = []edge{numberAxis{scale: y, label: p.clean(b.YLabel), side: leftSide, none: !s.y.any}, axis}
	styles := phaseLooks(b.Phases)
	for _, phase := range b.Phases {
		c.entries = append(c.entries, entry{name: p.clean(phase), look: styles[phase]})
	}
	c.draw = func(p *pen, area vg.Rectangle) {
		for g, group := range b.Groups {
			for i, bar := range group.Bars {
				b.drawBar(p, styles, bar, y, area, area.Min.X+lefts[g][i], barWidth, upright)
			}
		}
	}
	return c
}

func (b Breakdown) room(p *pen, bar BreakdownBar, upright bool) room {
	note := b.note(bar)
	if note == "" {
		return room{}
	}
	length := noteFace.height(1)
	if upright {
		length = p.width(noteFace, note)
	}
	length += 2 * notePad
	if bar.Timeout {
		length += stubHeight
	}
	return room{at: b.total(bar), length: length}
}

func (b Breakdown) drawBar(p *pen, styles map[string]look, bar BreakdownBar, y scale, area vg.Rectangle, x, width vg.Length, upright bool) {
	height := func(v float64) vg.Length { return area.Min.Y + vg.Length(y.at(v))*area.Size().Y }
	top := area.Min.Y
	if bar.Timeout {
		top += stubHeight
		p.stub(look{color: faint, hollow: true}, box(x, area.Min.Y, x+width, top))
	}
	sum := 0.0
	for i, phase := range b.Phases {
		if part := b.part(bar, i); part > 0 {
			p.swatch(styles[phase], box(x, height(sum), x+width, height(sum+part)))
			sum += part
			top = height(sum)
		}
	}
	if note := b.note(bar); note != "" {
		at := vg.Point{X: x + width/2, Y: top + notePad}
		if upright {
			p.text(noteFace, ink, at, anchor{0, 0.5}, math.Pi/2, note)
		} else {
			p.text(noteFace, ink, at, anchor{0.5, 0}, 0, note)
		}
	}
}
