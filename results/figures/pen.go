package figures

import (
	"image/color"
	"math"

	xfont "golang.org/x/image/font"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/font/liberation"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/recorder"
)

// Sizes of text in points.
const (
	titleSize  = 11
	textSize   = 8.5 // legend, labels of axes, subtitle
	tickSize   = 8
	noteSize   = 7 // words and numbers at the data
	lineHeight = 1.2
	capHeight  = 0.72 // of the font size
	descent    = 0.212
	ascent     = 0.905
)

// Colours that carry no data.
var (
	ink   = color.RGBA{0x22, 0x22, 0x22, 0xff}
	faint = color.RGBA{0x55, 0x55, 0x55, 0xff}
	grid  = color.RGBA{0xe2, 0xe2, 0xe2, 0xff}
	zebra = color.RGBA{0xf6, 0xf6, 0xf6, 0xff}
	paper = color.RGBA{0xff, 0xff, 0xff, 0xff}
)

// pen draws on a recording, in points, from the lower left corner up.
type pen struct {
	canvas *recorder.Canvas
	fonts  *font.Cache
}

func newPen() *pen {
	return &pen{&recorder.Canvas{}, font.NewCache(liberation.Collection())}
}

// typeface is a size and a weight of Liberation Sans.
type typeface struct {
	size vg.Length
	bold bool
}

func (p *pen) face(t typeface) font.Face {
	f := font.Font{Typeface: "Liberation", Variant: "Sans"}
	if t.bold {
		f.Weight = xfont.WeightBold
	}
	return p.fonts.Lookup(f, t.size)
}

// width returns the width of one line of text.
func (p *pen) width(t typeface, s string) vg.Length {
	face := p.face(t)
	return face.Width(s)
}

// height returns the height of lines of text, from the top of the capitals of
// the first to the descenders of the last.
func (t typeface) height(lines int) vg.Length {
	if lines == 0 {
		return 0
	}
	return t.size * (capHeight + descent + lineHeight*vg.Length(lines-1))
}

// anchor says which point of a text is put where it is asked for: 0 is left or
// bottom, ½ the middle, 1 right or top. Vertically it is about the capitals,
// from the baseline of the last line up.
type anchor struct{ x, y vg.Length }

// text draws lines of text, turned counter-clockwise by an angle in radians.
func (p *pen) text(t typeface, c color.Color, at vg.Point, a anchor, angle float64, lines ...string) {
	face := p.face(t)
	block := t.size * (capHeight + lineHeight*vg.Length(len(lines)-1))
	p.canvas.SetColor(c)
	if angle != 0 {
		p.canvas.Push()
		p.canvas.Translate(at)
		p.canvas.Rotate(angle)
		at = vg.Point{}
	}
	for i, line := range lines {
		p.canvas.FillString(face, vg.Point{
			X: at.X - a.x*face.Width(line),
			Y: at.Y - a.y*block + t.size*lineHeight*vg.Length(len(lines)-1-i),
		}, line)
	}
	if angle != 0 {
		p.canvas.Pop()
	}
}

// stroke is how a line looks.
type stroke struct {
	color color.Color
	width vg.Length
	dash  []vg.Length
}

func (p *pen) set(s stroke) {
	p.canvas.SetColor(s.color)
	p.canvas.SetLineWidth(s.width)
	p.canvas.SetLineDash(s.dash, 0)
}

// line draws a line through points.
func (p *pen) line(s stroke, points ...vg.Point) {
	if len(points) < 2 {
		return
	}
	p.set(s)
	p.canvas.Stroke(path(points))
}

// segments draws lines that do not touch as one path.
func (p *pen) segments(s stroke, lines [][2]vg.Point) {
	if len(lines) == 0 {
		return
	}
	p.set(s)
	var out vg.Path
	for _, l := range lines {
		out.Move(l[0])
		out.Line(l[1])
	}
	p.canvas.Stroke(out)
}

func (p *pen) fill(c color.Color, outline vg.Path) {
	p.canvas.SetColor(c)
	p.canvas.Fill(outline)
}

func (p *pen) outline(s stroke, outline vg.Path) {
	p.set(s)
	p.canvas.Stroke(outline)
}

func path(points []vg.Point) vg.Path {
	var out vg.Path
	out.Move(points[0])
	for _, pt := range points[1:] {
		out.Line(pt)
	}
	return out
}

func polygon(points ...vg.Point) vg.Path {
	out := path(points)
	out.Close()
	return out
}

func rectangle(r vg.Rectangle) vg.Path {
	return polygon(r.Min, vg.Point{X: r.Max.X, Y: r.Min.Y}, r.Max, vg.Point{X: r.Min.X, Y: r.Max.Y})
}

// circle is made of four curves, which every format draws alike.
func circle(at vg.Point, r vg.Length) vg.Path {
	const k = 0.5522847498 // 4/3·(√2-1)
	point := func(x, y vg.Length) vg.Point { return vg.Point{X: at.X + x*r, Y: at.Y + y*r} }
	var out vg.Path
	out.Move(point(1, 0))
	out.CubeTo(point(1, k), point(k, 1), point(0, 1))
	out.CubeTo(point(-k, 1), point(-1, k), point(-1, 0))
	out.CubeTo(point(-1, -k), point(-k, -1), point(0, -1))
	out.CubeTo(point(k, -1), point(1, -k), point(1, 0))
	out.Close()
	return out
}

// box makes a rectangle of its sides.
func box(left, bottom, right, top vg.Length) vg.Rectangle {
	return vg.Rectangle{Min: vg.Point{X: left, Y: bottom}, Max: vg.Point{X: right, Y: top}}
}

// clip cuts a line of points to a rectangle, into as many pieces as it takes.
func clip(r vg.Rectangle, points []vg.Point) [][]vg.Point {
	var pieces [][]vg.Point
	var piece []vg.Point
	end := func() {
		if len(piece) > 1 {
			pieces = append(pieces, piece)
		}
		piece = nil
	}
	for i := 1; i < len(points); i++ {
		from, to, ok := clipSegment(r, points[i-1], points[i])
		if !ok {
			end()
			continue
		}
		if len(piece) == 0 || piece[len(piece)-1] != from {
			end()
			piece = append(piece, from)
		}
		piece = append(piece, to)
	}
	end()
	return pieces
}

// clipSegment cuts one segment to a rectangle (Liang and Barsky).
func clipSegment(r vg.Rectangle, a, b vg.Point) (from, to vg.Point, ok bool) {
	d := b.Sub(a)
	enter, leave := vg.Length(0), vg.Length(1)
	for _, side := range [4][2]vg.Length{
		{-d.X, a.X - r.Min.X}, {d.X, r.Max.X - a.X}, {-d.Y, a.Y - r.Min.Y}, {d.Y, r.Max.Y - a.Y},
	} {
		speed, room := side[0], side[1]
		switch at := room / speed; {
		case speed == 0 && room < 0:
			return a, b, false
		case speed < 0:
			enter = max(enter, at)
		case speed > 0:
			leave = min(leave, at)
		}
	}
	if enter > leave {
		return a, b, false
	}
	from, to = a, b
	if enter > 0 {
		from = a.Add(d.Scale(enter))
	}
	if leave < 1 {
		to = a.Add(d.Scale(leave))
	}
	return from, to, true
}

// turn rotates a point about the origin, counter-clockwise.
func turn(pt vg.Point, angle float64) vg.Point {
	sin, cos := math.Sincos(angle)
	s, c := vg.Length(sin), vg.Length(cos)
	return vg.Point{X: pt.X*c - pt.Y*s, Y: pt.X*s + pt.Y*c}
}
