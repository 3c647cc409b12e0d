package figures

import (
	"image/color"
	"slices"
	"strings"

	"gonum.org/v1/plot/vg"
)

// Colours of Okabe and Ito, "Color universal design", 2008.
var (
	black      = color.RGBA{0x00, 0x00, 0x00, 0xff}
	orange     = color.RGBA{0xe6, 0x9f, 0x00, 0xff}
	skyBlue    = color.RGBA{0x56, 0xb4, 0xe9, 0xff}
	green      = color.RGBA{0x00, 0x9e, 0x73, 0xff}
	yellow     = color.RGBA{0xf0, 0xe4, 0x42, 0xff}
	blue       = color.RGBA{0x00, 0x72, 0xb2, 0xff}
	vermillion = color.RGBA{0xd5, 0x5e, 0x00, 0xff}
	purple     = color.RGBA{0xcc, 0x79, 0xa7, 0xff}
)

// look is how a series looks as bars and as a line.
type look struct {
	color  color.RGBA
	hatch  hatch
	dash   []vg.Length
	marker marker
	// hollow is for what others published.
	hollow bool
}

// palette is in the order in which series get their colours. The first four
// differ by at least 32 of 255 in grey (87, 162, 119, 0), the others by hatch,
// dash and marker at least. Yellow, too pale for a line, is last.
func palette(i int) look {
	colors := []color.RGBA{blue, orange, vermillion, black, skyBlue, green, purple, yellow}
	hatches := []hatch{plain, rising, falling, crossed, level, upright, dotted}
	dashes := [][]vg.Length{nil, {6, 2.5}, {1.8, 1.8}, {7, 2, 1.8, 2}, {11, 3}, {7, 2, 1.8, 2, 1.8, 2}, {3.5, 1.5}}
	markers := []marker{disc, square, triangle, diamond, downward, cross}
	return look{
		color:  colors[i%len(colors)],
		hatch:  hatches[i%len(hatches)],
		dash:   dashes[i%len(dashes)],
		marker: markers[i%len(markers)],
	}
}

// phaseLook returns the look of a phase of a function. The phases of flowtwin's
// own records look the same in every breakdown and every Gantt chart.
func phaseLook(name string) (look, bool) {
	switch strings.ToLower(strings.NewReplacer("-", " ", "_", " ").Replace(name)) {
	case "queue", "queued", "queueing":
		return look{color: color.RGBA{0xcc, 0xcc, 0xcc, 0xff}}, true
	case "cold start", "cold":
		return look{color: vermillion, hatch: crossed}, true
	case "fetch", "fetched":
		return look{color: skyBlue}, true
	case "compute", "computed":
		return look{color: blue}, true
	case "put":
		return look{color: orange, hatch: rising}, true
	case "transfer":
		return look{color: green, hatch: falling}, true
	case "hold back":
		return look{color: purple, hatch: rising}, true
	case "conflict retry":
		return look{color: green, hatch: crossed}, true
	case "failed try":
		return look{color: purple, hatch: crossed}, true
	case "scheduling", "trigger", "engine":
		return look{color: yellow, hatch: dotted}, true
	case "state sync":
		return look{color: yellow, hatch: falling}, true
	case "control message":
		return look{color: yellow}, true
	}
	return look{}, false
}

// named is a series that asks for a look: its name, and its place in the
// palette (from 1) if the user fixed one.
type named struct {
	name string
	pin  int
}

// looks gives each name one look for a whole figure, all its panels included.
type looks struct{ slots map[string]int }

// newLooks gives pinned names their places, then the others the free ones in
// order of appearance.
func newLooks(names []named) looks {
	slots := make(map[string]int)
	taken := make(map[int]bool)
	for _, n := range names {
		if _, ok := slots[n.name]; !ok && n.pin > 0 {
			slots[n.name], taken[n.pin-1] = n.pin-1, true
		}
	}
	free := 0
	for _, n := range names {
		if _, ok := slots[n.name]; ok {
			continue
		}
		for taken[free] {
			free++
		}
		slots[n.name], taken[free] = free, true
	}
	return looks{slots}
}

// of returns the look of a name.
func (l looks) of(name string, hollow bool) look {
	out := palette(l.slots[name])
	out.hollow = hollow
	return out
}

// phaseLooks returns the looks of phases, each with the fixed one if its name
// is known and else a free one of the palette.
func phaseLooks(phases []string) map[string]look {
	out := make(map[string]look)
	free := []int{5, 6, 3, 7, 4, 2, 1, 0}
	for _, name := range phases {
		if _, ok := out[name]; ok {
			continue
		}
		if l, ok := phaseLook(name); ok {
			out[name] = l
			continue
		}
		out[name] = palette(free[0])
		free = append(free[1:], free[0]+8)
	}
	return out
}

// hatch is a pattern of lines on a bar.
type hatch int

const (
	plain hatch = iota
	rising
	falling
	crossed
	level
	upright
	dotted
)

// hatchGap is the distance between hatching lines.
const hatchGap = 4.2

// swatch fills a rectangle: a bar, a phase, a key of the legend.
func (p *pen) swatch(l look, r vg.Rectangle) {
	fill, lines := l.color, contrast(l.color)
	if l.hollow {
		fill, lines = paper, l.color
	}
	p.fill(fill, rectangle(r))
	width := vg.Length(0.8)
	if l.hollow {
		width = 0.6
	}
	p.segments(stroke{color: lines, width: width}, hatching(l.hatch, r))
	edge := stroke{color: darker(l.color), width: 0.5}
	if l.hollow {
		edge = stroke{color: l.color, width: 0.9}
	}
	if size := r.Size(); size.X > 0 && size.Y > 0 {
		p.outline(edge, rectangle(inset(r, min(edge.width, size.X, size.Y)/2)))
	}
}

func inset(r vg.Rectangle, by vg.Length) vg.Rectangle {
	return box(r.Min.X+by, r.Min.Y+by, r.Max.X-by, r.Max.Y-by)
}

// hatching returns the lines of a pattern within a rectangle. Patterns hang on
// the canvas, not on the rectangle, so neighbours of one look match.
func hatching(h hatch, r vg.Rectangle) [][2]vg.Point {
	var out [][2]vg.Point
	add := func(a, b vg.Point) {
		if from, to, ok := clipSegment(r, a, b); ok && from != to {
			out = append(out, [2]vg.Point{from, to})
		}
	}
	size := r.Size()
	diagonal := func(up vg.Length) {
		gap := vg.Length(hatchGap * 1.414)
		// y = up·x + c, for all c that meet the rectangle
		low := min(r.Min.Y-up*r.Min.X, r.Min.Y-up*r.Max.X)
		for c := ceilTo(low, gap); c < low+size.X+size.Y; c += gap {
			add(vg.Point{X: r.Min.X, Y: up*r.Min.X + c}, vg.Point{X: r.Max.X, Y: up*r.Max.X + c})
		}
	}
	switch h {
	case rising:
		diagonal(1)
	case falling:
		diagonal(-1)
	case crossed:
		diagonal(1)
		diagonal(-1)
	case level:
		for y := ceilTo(r.Min.Y, hatchGap); y < r.Max.Y; y += hatchGap {
			add(vg.Point{X: r.Min.X, Y: y}, vg.Point{X: r.Max.X, Y: y})
		}
	case upright:
		for x := ceilTo(r.Min.X, hatchGap); x < r.Max.X; x += hatchGap {
			add(vg.Point{X: x, Y: r.Min.Y}, vg.Point{X: x, Y: r.Max.Y})
		}
	case dotted:
		row := 0
		for y := ceilTo(r.Min.Y, hatchGap/1.4); y < r.Max.Y; y += hatchGap / 1.4 {
			row++
			for x := ceilTo(r.Min.X, hatchGap) + vg.Length(row%2)*hatchGap/2; x < r.Max.X; x += hatchGap {
				add(vg.Point{X: x - 0.6, Y: y}, vg.Point{X: x + 0.6, Y: y})
			}
		}
	}
	return out
}

func ceilTo(x, step vg.Length) vg.Length {
	n := vg.Length(int64(x / step))
	if n*step < x {
		n++
	}
	return n * step
}

// luma is the grey level of a colour, 0 to 255.
func luma(c color.RGBA) int { return (299*int(c.R) + 587*int(c.G) + 114*int(c.B)) / 1000 }

// contrast is the colour of lines on a fill.
func contrast(c color.RGBA) color.RGBA {
	if luma(c) > 190 {
		return color.RGBA{0x66, 0x60, 0x20, 0xff}
	}
	return paper
}

func darker(c color.RGBA) color.RGBA {
	return color.RGBA{c.R / 2, c.G / 2, c.B / 2, 0xff}
}

// marker is the shape of a point on a line.
type marker int

const (
	disc marker = iota
	square
	triangle
	diamond
	downward
	cross
)

// mark draws the marker of a look.
func (p *pen) mark(l look, at vg.Point, r vg.Length) {
	pt := func(x, y vg.Length) vg.Point { return vg.Point{X: at.X + x*r, Y: at.Y + y*r} }
	var shape vg.Path
	switch l.marker {
	case disc:
		shape = circle(at, r)
	case square:
		shape = polygon(pt(-.88, -.88), pt(.88, -.88), pt(.88, .88), pt(-.88, .88))
	case triangle:
		shape = polygon(pt(-1.05, -.75), pt(1.05, -.75), pt(0, 1.15))
	case downward:
		shape = polygon(pt(-1.05, .75), pt(1.05, .75), pt(0, -1.15))
	case diamond:
		shape = polygon(pt(-1.2, 0), pt(0, -1.2), pt(1.2, 0), pt(0, 1.2))
	case cross:
		const a, b = 0.4, 1.1
		shape = polygon(pt(-b, -b+a), pt(-b+a, -b), pt(0, -a), pt(b-a, -b), pt(b, -b+a), pt(a, 0),
			pt(b, b-a), pt(b-a, b), pt(0, a), pt(-b+a, b), pt(-b, b-a), pt(-a, 0))
	}
	if l.hollow {
		p.fill(paper, shape)
		p.outline(stroke{color: l.color, width: 0.9}, shape)
		return
	}
	p.fill(l.color, shape)
	p.outline(stroke{color: paper, width: 0.4}, shape)
}

// stroke returns how a line of this look is drawn.
func (l look) stroke() stroke {
	if l.hollow {
		return stroke{color: l.color, width: 0.9, dash: []vg.Length{0.9, 1.8}}
	}
	return stroke{color: l.color, width: 1.5, dash: slices.Clone(l.dash)}
}
