package figures

import (
	"sort"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/image/font/sfnt"
	"gonum.org/v1/plot/vg"
)

// clean makes text fit for all formats: one line, no control characters (XML
// has none), only characters that Liberation Sans has (so that all formats show
// the same, and the PDF library meets none that it has no room for), and not
// endless.
func (p *pen) clean(s string) string {
	const longest = 1000
	face := p.face(labelFace)
	var buffer sfnt.Buffer
	var b strings.Builder
	for _, r := range strings.ToValidUTF8(s, "?") {
		switch {
		case unicode.IsSpace(r):
			r = ' '
		case unicode.IsControl(r):
			continue
		default:
			if glyph, err := face.Face.GlyphIndex(&buffer, r); err != nil || glyph == 0 || r > 0xffff {
				r = '?'
			}
		}
		b.WriteRune(r)
		if b.Len() > longest {
			b.WriteString("…")
			break
		}
	}
	return strings.Join(strings.Fields(b.String()), " ")
}

// shorten cuts the middle out of a text that is wider than the limit. Both
// ends stay, because names of functions differ at either.
func (p *pen) shorten(t typeface, s string, limit vg.Length) string {
	if p.width(t, s) <= limit {
		return s
	}
	runes := []rune(s)
	cut := func(keep int) string {
		return string(runes[:keep-keep/2]) + "…" + string(runes[len(runes)-keep/2:])
	}
	tooMany := sort.Search(len(runes), func(keep int) bool { return p.width(t, cut(keep)) > limit })
	return cut(max(tooMany-1, 0))
}

// wrap breaks a text into lines no wider than the limit, at spaces and after
// -, _, /, : and dots, inside a word only if it is wider than a line. What does
// not fit into the given number of lines is shortened into the last.
func (p *pen) wrap(t typeface, s string, limit vg.Length, lines int) []string {
	if s == "" {
		return nil
	}
	var out []string
	line := ""
	for _, part := range pieces(s) {
		for line+part != "" && p.width(t, strings.TrimRight(line+part, " ")) > limit {
			if line == "" { // a piece wider than a line
				n := p.fitting(t, part, limit)
				out, part = append(out, part[:n]), part[n:]
				continue
			}
			out, line = append(out, strings.TrimRight(line, " ")), ""
		}
		line += part
	}
	if line = strings.TrimRight(line, " "); line != "" {
		out = append(out, line)
	}
	if len(out) > lines {
		rest := strings.Join(out[lines-1:], " ")
		out = append(out[:lines-1], p.shorten(t, rest, limit))
	}
	return out
}

// wrapsWhole reports whether a text can be wrapped without breaking a word or
// losing anything.
func (p *pen) wrapsWhole(t typeface, s string, limit vg.Length, lines int) bool {
	for _, part := range pieces(s) {
		if p.width(t, strings.TrimRight(part, " ")) > limit {
			return false
		}
	}
	return len(p.wrap(t, s, limit, lines+1)) <= lines
}

// pieces splits a text behind each character that a line may end with.
func pieces(s string) []string {
	var out []string
	start := 0
	for i, r := range s {
		if strings.ContainsRune(" -_/:.", r) {
			end := i + utf8.RuneLen(r)
			out = append(out, s[start:end])
			start = end
		}
	}
	if start < len(s) {
		out = append(out, s[start:])
	}
	return out
}

// fitting returns how many bytes of a text fit into a width, at least those of
// its first character.
func (p *pen) fitting(t typeface, s string, limit vg.Length) int {
	n := 0
	for i, r := range s {
		end := i + utf8.RuneLen(r)
		if n > 0 && p.width(t, s[:end]) > limit {
			break
		}
		n = end
	}
	return n
}
