package figures

import (
	"gonum.org/v1/plot/vg"
)

// Estimate is a measured quantity.
type Estimate struct {
	// Value is the quantity. NaN, infinite or beyond ±1e100 means that there is
	// none.
	Value float64
	// Lo and Hi are the ends of its confidence interval. It is drawn as a
	// whisker if Lo < Hi; leave both zero if there is none.
	Lo, Hi float64
	// Timeout: the measurement ran into its time-out. Value does not count.
	Timeout bool
}

// missing reports whether there is neither a value nor a timeout.
func (e Estimate) missing() bool { return !e.Timeout && !drawable(e.Value) }

// number reports whether there is a value.
func (e Estimate) number() bool { return !e.Timeout && drawable(e.Value) }

// interval reports whether there is a whisker to draw.
func (e Estimate) interval() bool {
	return e.number() && drawable(e.Lo) && drawable(e.Hi) && e.Lo < e.Hi
}

// addTo adds what an axis has to show of the estimate.
func (e Estimate) addTo(s *span) {
	if !e.number() {
		return
	}
	s.add(e.Value)
	if e.interval() {
		s.add(e.Hi)
		// One long whisker must not stretch a logarithmic axis by decades.
		if e.Lo <= 0 || e.Lo > e.Value/10 {
			s.add(e.Lo)
		}
	}
}

// Plot is a figure that can also be a panel of [Panels]: [Bars], [CDF],
// [Lines] and [Breakdown].
type Plot interface {
	// Draw draws the plot as a figure of its own.
	Draw() Figure
	// names returns the series in their order.
	names() []named
	// chart lays the plot out as the figure wants it.
	chart(p *pen, s setting) *chart
	// spans returns the numbers on both axes.
	spans() ranges
	// heading returns title and subtitle.
	heading() (title, subtitle string)
}

// setting is what a figure decides for its plots.
type setting struct {
	looks looks
	ranges
	// small is set for one of several panels.
	small bool
}

// size returns the size of a data area: smaller for one of several panels.
func (s setting) size(width, height vg.Length) (vg.Length, vg.Length) {
	if s.small {
		return width * 0.72, height * 0.76
	}
	return width, height
}

// ranges are the numbers that the axes of a plot show.
type ranges struct{ x, y span }

// drawAlone draws a plot as a figure of its own.
func drawAlone(plot Plot) Figure {
	p := newPen()
	title, subtitle := plot.heading()
	return page{
		title: p.clean(title), subtitle: p.clean(subtitle),
		rows: [][]*chart{{plot.chart(p, setting{looks: newLooks(plot.names()), ranges: plot.spans()})}},
	}.compose(p)
}

// whisker draws an interval, cut to an area.
func (p *pen) whisker(c stroke, area vg.Rectangle, x, lo, hi, cap vg.Length) {
	if x < area.Min.X || x > area.Max.X || hi < area.Min.Y || lo > area.Max.Y {
		return
	}
	from, to := max(lo, area.Min.Y), min(hi, area.Max.Y)
	lines := [][2]vg.Point{{{X: x, Y: from}, {X: x, Y: to}}}
	if from == lo {
		lines = append(lines, [2]vg.Point{{X: x - cap, Y: lo}, {X: x + cap, Y: lo}})
	}
	if to == hi {
		lines = append(lines, [2]vg.Point{{X: x - cap, Y: hi}, {X: x + cap, Y: hi}})
	}
	p.segments(c, lines)
}
