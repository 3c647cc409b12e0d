package figures

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"gonum.org/v1/plot/vg"

	"github.com/flowtwin/flowtwin/results/stats"
)

// CDF is a figure of distributions: for each value the share of samples at or
// below it.
type CDF struct {
	// Title and Subtitle stand above; see [Bars].
	Title, Subtitle string
	// XLabel names the quantity and its unit: "latency (s)".
	XLabel string
	// Series are the distributions. All lines reach over the whole x axis.
	Series []CDFSeries
	// XScale is Auto, Linear or Log.
	XScale Scale
}

// CDFSeries is one distribution.
type CDFSeries struct {
	// Name is the scheduler or system; Published and Style are as for
	// [BarSeries]. The number of samples is written behind it, in a panel
	// below the x axis.
	Name      string
	Published bool
	Style     int
	// Samples in any order, as many as there are: a large sample is thinned to
	// 500 points. What is NaN or infinite is left out.
	Samples []float64
	// TimedOut is the number of further measurements that ran into their
	// time-out. They are larger than any sample, so the line ends below 1.
	TimedOut int
}

// Draw draws the figure.
func (c CDF) Draw() Figure { return drawAlone(c) }

func (c CDF) heading() (title, subtitle string) { return c.Title, c.Subtitle }

func (c CDF) names() []named {
	var out []named
	for _, s := range c.Series {
		out = append(out, named{s.Name, s.Style})
	}
	return out
}

func (c CDF) spans() ranges {
	var r ranges
	for _, s := range c.Series {
		r.x.add(s.Samples...)
	}
	if r.x.any {
		r.y.add(0, 1)
	}
	return r
}

// maxPoints is how many points a line is drawn of.
const maxPoints = 500

func (c CDF) chart(p *pen, set setting) *chart {
	if !set.x.any {
		return emptyChart("")
	}
	out := &chart{}
	out.width, out.height = set.size(330, 190)
	x := placeScale(set.x, c.XScale, 0.02)
	if !x.log && x.lo < 0.3*x.hi && set.x.lo >= 0 {
		x.lo = 0
	}
	y := scale{lo: 0, hi: 1}
	type line struct {
		look   look
		points []stats.CumulativePoint
		steps  bool
	}
	var lines []line
	var counts []string
	for _, s := range c.Series {
		samples := slices.DeleteFunc(slices.Clone(s.Samples), func(v float64) bool { return !drawable(v) })
		slices.Sort(samples)
		timedOut := max(s.TimedOut, 0)
		points := stats.Thin(samples, maxPoints)
		for i := range points {
			points[i].Share *= float64(len(samples)) / float64(len(samples)+timedOut)
		}
		look := set.looks.of(s.Name, s.Published)
		lines = append(lines, line{look, points, len(samples) <= maxPoints})
		name := p.clean(s.Name)
		if s.Published {
			name += " (published)"
		}
		count := "n = " + grouped(len(samples)+timedOut)
		if timedOut > 0 {
			count += fmt.Sprintf(", %s timed out", grouped(timedOut))
		}
		counts = append(counts, count)
		if !set.small {
			name = strings.TrimPrefix(name+", "+count, ", ")
		}
		out.entries = append(out.entries, entry{name: name, look: look, kind: lineEntry})
	}
	label := p.clean(c.XLabel)
	if set.small { // the legend is that of all panels
		label = strings.TrimPrefix(label+" · "+strings.Join(slices.Compact(counts), "; "), " · ")
	}
	out.edges = []edge{
		numberAxis{scale: y, label: "share of samples", side: leftSide},
		numberAxis{scale: x, label: label, side: bottomSide},
	}
	out.draw = func(p *pen, area vg.Rectangle) {
		for i, line := range lines {
			if len(line.points) > 0 {
				drawDistribution(p, linePlot{look: line.look, x: x, y: y, area: area}, line.points, line.steps, float64(i)/float64(len(lines)))
			}
		}
	}
	return out
}

// drawDistribution draws a line from the lower left end of the axes to the
// right end, with a few markers; those of different lines are offset by a part
// of their distance.
func drawDistribution(p *pen, l linePlot, points []stats.CumulativePoint, steps bool, offset float64) {
	line := []vg.Point{{X: l.area.Min.X, Y: l.area.Min.Y}}
	height := line[0].Y
	for i, pt := range points {
		at := l.place(pt.Value, pt.Share)
		if steps || i == 0 {
			line = append(line, vg.Point{X: at.X, Y: height})
		}
		line, height = append(line, at), at.Y
	}
	line = append(line, vg.Point{X: l.area.Max.X, Y: height})
	p.line(l.look.stroke(), line...)

	const marks = 5
	top := points[len(points)-1].Share
	for i := range marks {
		want := top * (float64(i) + 0.15 + 0.7*offset) / marks
		at, _ := slices.BinarySearchFunc(points, want, func(pt stats.CumulativePoint, share float64) int {
			if pt.Share < share {
				return -1
			}
			return 1
		})
		pt := points[min(at, len(points)-1)]
		p.mark(l.look, l.place(pt.Value, pt.Share), markerRadius)
	}
}

// grouped prints a count, its digits in groups of three if they are many.
func grouped(n int) string {
	digits := strconv.Itoa(n)
	if n < 10_000 {
		return digits
	}
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "\u00a0" + digits[i:] // a space that does not break
	}
	return digits
}
