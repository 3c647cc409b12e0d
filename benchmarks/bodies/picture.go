package bodies

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	_ "image/jpeg" // pictures may be JPEG as well
	"image/png"
	"math"
	"math/rand/v2"
	"strings"

	"golang.org/x/image/draw"
	"golang.org/x/image/font"
	"golang.org/x/image/font/basicfont"
	"golang.org/x/image/math/fixed"
)

// Picture makes a picture of about size bytes, PNG, always the same: a
// landscape under a blue sky, which nobody finds illegal, with a caption below
// it, which has words that some do.
func Picture(size int) ([]byte, error) {
	const bytesPerPixel = 0.85 // What is left of noise of one bit a channel.
	height := max(200, int(math.Sqrt(float64(size)/bytesPerPixel*3/4)))
	m := landscape(height*4/3, height)
	writeCaption(m, caption)
	return encodePicture(m)
}

func landscape(width, height int) *image.RGBA {
	m := image.NewRGBA(image.Rect(0, 0, width, height))
	random := rand.New(rand.NewPCG(1, 4))
	for y := range height {
		for x := range width {
			noise := random.Uint32()
			r, g, b := 90+40*y/height, 140+40*x/width, 210
			if y > height*2/3 {
				r, g, b = 40+30*x/width, 110+30*y/height, 50
			}
			p := m.Pix[m.PixOffset(x, y):]
			p[0], p[1], p[2], p[3] = uint8(r)+uint8(noise&1), uint8(g)+uint8(noise>>1&1), uint8(b)+uint8(noise>>2&1), 255
		}
	}
	return m
}

// maxPixels is how large a picture may be.
const maxPixels = 1 << 26

// decodePicture reads a PNG or JPEG.
func decodePicture(data []byte) (*image.RGBA, error) {
	c, _, err := image.DecodeConfig(bytes.NewReader(data))
	if err != nil {
		return nil, fmt.Errorf("%d bytes are no picture: %w", len(data), err)
	}
	if c.Width < 1 || c.Height < 1 || c.Width > maxPixels/c.Height {
		return nil, fmt.Errorf("a picture of %d × %d pixels is not to be decoded", c.Width, c.Height)
	}
	decoded, _, err := image.Decode(bytes.NewReader(data))
	if err != nil {
		return nil, fmt.Errorf("%d bytes are no picture: %w", len(data), err)
	}
	if m, ok := decoded.(*image.RGBA); ok && m.Rect.Min == (image.Point{}) {
		return m, nil
	}
	m := image.NewRGBA(image.Rectangle{Max: decoded.Bounds().Size()})
	draw.Draw(m, m.Rect, decoded, decoded.Bounds().Min, draw.Src)
	return m, nil
}

func encodePicture(m image.Image) ([]byte, error) {
	var data bytes.Buffer
	// The best compression takes ten times as long, and gains little on noise.
	err := (&png.Encoder{CompressionLevel: png.BestSpeed}).Encode(&data, m)
	return data.Bytes(), err
}

// What is looked for in pictures, by the colours of pixels.

// isSkin is a usual rule for skin in daylight.
func isSkin(r, g, b int) bool {
	return r > 95 && g > 40 && b > 20 && r > g && r > b && r-min(g, b) > 15 && r-g > 15 && !isBlood(r, g, b)
}

func isBlood(r, g, b int) bool { return r > 110 && g < 60 && b < 60 }

// likelihood stands for a network: the picture is scaled to what networks
// take, and a logistic function of the share of pixels of a kind says how
// likely the verdict is.
func likelihood(m *image.RGBA, is func(r, g, b int) bool) float64 {
	const side, threshold, steepness = 224, 0.12, 60
	small := image.NewRGBA(image.Rect(0, 0, side, side))
	draw.BiLinear.Scale(small, small.Rect, m, m.Rect, draw.Src, nil)
	n := 0
	for p := small.Pix; len(p) >= 4; p = p[4:] {
		if is(int(p[0]), int(p[1]), int(p[2])) {
			n++
		}
	}
	return 1 / (1 + math.Exp(-steepness*(float64(n)/(side*side)-threshold)))
}

// mosaic hides what is illegal: squares of the picture of which most is, and
// such words of the caption.
func mosaic(m *image.RGBA) {
	const side = 16
	size := m.Rect.Size()
	lines := readCaption(m)
	bottom := size.Y - len(lines)*cellHeight
	for y := 0; y < bottom; y += side {
		for x := 0; x < size.X; x += side {
			tile := image.Rect(x, y, x+side, min(y+side, bottom)).Intersect(m.Rect)
			if mostly(m, tile) {
				flatten(m, tile)
			}
		}
	}
	d := newDictionary()
	for i, line := range lines {
		for at, word := range wordsOf(line) {
			if illegal(d.translate(word)) {
				y := bottom + i*cellHeight
				flatten(m, image.Rect(at*cellWidth, y, (at+len(word))*cellWidth, y+cellHeight))
			}
		}
	}
}

// mostly reports whether most pixels of a tile are of an illegal kind.
func mostly(m *image.RGBA, tile image.Rectangle) bool {
	n := 0
	for y := tile.Min.Y; y < tile.Max.Y; y++ {
		for x := tile.Min.X; x < tile.Max.X; x++ {
			c := m.RGBAAt(x, y)
			if r, g, b := int(c.R), int(c.G), int(c.B); isSkin(r, g, b) || isBlood(r, g, b) {
				n++
			}
		}
	}
	return 2*n > tile.Dx()*tile.Dy()
}

// flatten gives a tile its mean colour.
func flatten(m *image.RGBA, tile image.Rectangle) {
	var sum [3]int
	for y := tile.Min.Y; y < tile.Max.Y; y++ {
		for x := tile.Min.X; x < tile.Max.X; x++ {
			c := m.RGBAAt(x, y)
			sum[0], sum[1], sum[2] = sum[0]+int(c.R), sum[1]+int(c.G), sum[2]+int(c.B)
		}
	}
	n := max(1, tile.Dx()*tile.Dy())
	mean := color.RGBA{uint8(sum[0] / n), uint8(sum[1] / n), uint8(sum[2] / n), 255}
	draw.Draw(m, tile, image.NewUniform(mean), image.Point{}, draw.Src)
}

// Captions: lines of a typewriter's font at the bottom, black on white, one
// cell a character.

const (
	cellWidth, cellHeight = 7, 13
	ascent                = 11
)

// writeCaption adds a caption, in as many lines as it takes.
func writeCaption(m *image.RGBA, text string) {
	columns := m.Rect.Dx() / cellWidth
	var lines []string
	for word := range strings.FieldsSeq(text) {
		if last := len(lines) - 1; last >= 0 && len(lines[last])+1+len(word) <= columns {
			lines[last] += " " + word
		} else {
			lines = append(lines, word)
		}
	}
	top := m.Rect.Dy() - len(lines)*cellHeight
	draw.Draw(m, image.Rect(0, top, m.Rect.Dx(), m.Rect.Dy()), image.White, image.Point{}, draw.Src)
	for i, line := range lines {
		d := font.Drawer{Dst: m, Src: image.Black, Face: basicfont.Face7x13, Dot: fixed.P(0, top+i*cellHeight+ascent)}
		d.DrawString(line)
	}
}

// readCaption returns the lines of a picture's caption; none if it has none.
func readCaption(m *image.RGBA) []string {
	font := newGlyphs()
	var lines []string
	for top := m.Rect.Dy() - cellHeight; top >= 0; top -= cellHeight {
		line, ok := font.read(m, top)
		if !ok {
			break
		}
		lines = append([]string{line}, lines...)
	}
	return lines
}

// cell holds the pixels of a character that are black.
type cell [cellWidth * cellHeight]bool

// glyphs are the characters of the font.
type glyphs map[cell]byte

func newGlyphs() glyphs {
	all := glyphs{}
	m := image.NewRGBA(image.Rect(0, 0, cellWidth, cellHeight))
	for c := byte(' '); c <= '~'; c++ {
		draw.Draw(m, m.Rect, image.White, image.Point{}, draw.Src)
		d := font.Drawer{Dst: m, Src: image.Black, Face: basicfont.Face7x13, Dot: fixed.P(0, ascent)}
		d.DrawString(string(rune(c)))
		if one, ok := cellAt(m, 0, 0); ok {
			all[one] = c
		}
	}
	return all
}

// cellAt reads a cell, and reports false if it is not black on white.
func cellAt(m *image.RGBA, x, y int) (c cell, ok bool) {
	for i := range c {
		p := m.RGBAAt(x+i%cellWidth, y+i/cellWidth)
		switch low, high := min(p.R, p.G, p.B), max(p.R, p.G, p.B); {
		case high < 64:
			c[i] = true
		case low < 192:
			return c, false
		}
	}
	return c, true
}

// read reads a line of a caption. It reports false for one that is none.
func (g glyphs) read(m *image.RGBA, top int) (string, bool) {
	var line []byte
	for x := 0; x+cellWidth <= m.Rect.Dx(); x += cellWidth {
		c, ok := cellAt(m, x, top)
		if !ok {
			return "", false
		}
		letter, ok := g[c]
		if !ok {
			letter = '?'
		}
		line = append(line, letter)
	}
	text := strings.TrimRight(string(line), " ")
	return text, text != ""
}

// wordsOf returns the words of a line by where they begin.
func wordsOf(line string) map[int]string {
	words := map[int]string{}
	for at := 0; at < len(line); {
		if line[at] == ' ' {
			at++
			continue
		}
		word, _, _ := strings.Cut(line[at:], " ")
		words[at] = word
		at += len(word)
	}
	return words
}
