package figures

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"gonum.org/v1/plot/vg"
	"pgregory.net/rapid"
)

func spanOf(numbers ...float64) span {
	var s span
	s.add(numbers...)
	return s
}

func labels(s scale, length vg.Length) string {
	var out []string
	for _, t := range s.ticks(length, func(n number) vg.Length { return vg.Length(5*len([]rune(n.text()))) + 9 }) {
		if t.label.digits != "" {
			label := t.label.digits
			if t.label.exponent != "" {
				label += "^" + t.label.exponent
			}
			out = append(out, label)
		}
	}
	return strings.Join(out, " ")
}

func TestTicksAreOneTwoFive(t *testing.T) {
	for _, c := range []struct {
		name   string
		scale  scale
		length vg.Length
		want   string
	}{
		{"steps of 5", scale{lo: 0, hi: 25}, 190, "0 5 10 15 20 25"},
		{"steps of 0.2", scale{lo: 0, hi: 1}, 190, "0.0 0.2 0.4 0.6 0.8 1.0"},
		{"steps of 0.05 are exact", scale{lo: 0.05, hi: 0.2}, 190, "0.05 0.10 0.15 0.20"},
		{"negative", scale{lo: -10, hi: 5}, 190, "−10 −5 0 5"},
		{"thousands", scale{lo: 0, hi: 40000}, 190, "0 10000 20000 30000 40000"},
		{"large", scale{lo: 0, hi: 4e9}, 190, "0 1·10^9 2·10^9 3·10^9 4·10^9"},
		{"small", scale{lo: 0, hi: 4e-6}, 190, "0 1·10^−6 2·10^−6 3·10^−6 4·10^−6"},
		{"large but close together", scale{lo: 1000000000, hi: 1000000040}, 300, "1000000000 1000000010 1000000020 1000000030 1000000040"},
		{"short axis", scale{lo: 0, hi: 25}, 60, "0 20"},
		{"decades", scale{lo: 0.05, hi: 500, log: true}, 190, "0.1 1 10 100"},
		{"two and five between few decades", scale{lo: 1, hi: 100, log: true}, 190, "1 2 5 10 20 50 100"},
		{"many decades", scale{lo: 1e-9, hi: 1e9, log: true}, 330, "10^−8 10^−6 10^−4 10^−2 10^0 10^2 10^4 10^6 10^8"},
	} {
		if got := labels(c.scale, c.length); got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", c.name, got, c.want)
		}
	}
}

func TestScaleOfQuantities(t *testing.T) {
	for _, c := range []struct {
		name string
		span span
		wish Scale
		want scale
	}{
		{"starts at zero", spanOf(3, 21.5), Auto, scale{lo: 0, hi: 25}},
		{"not if all are far from it", spanOf(1000, 1009), Auto, scale{lo: 1000, hi: 1010}},
		{"one number", spanOf(3), Auto, scale{lo: 0, hi: 3}},
		{"zeros", spanOf(0, 0), Auto, scale{lo: 0, hi: 1}},
		{"nothing", spanOf(math.NaN(), math.Inf(1)), Auto, scale{lo: 0, hi: 1}},
		{"only negative numbers end at zero", spanOf(-3, -5), Auto, scale{lo: -5, hi: 0}},
		{"two decades stay linear", spanOf(1, 100), Auto, scale{lo: 0, hi: 100}},
		{"more than two do not", spanOf(0.5, 204), Auto, scale{lo: 0.2, hi: 500, log: true}},
		{"zeros are allowed on a logarithmic axis", spanOf(0, 0.5, 204), Auto, scale{lo: 0.2, hi: 500, log: true}},
		{"negative numbers are not", spanOf(-1, 0.5, 204), Log, scale{lo: -50, hi: 250}},
		{"asked for", spanOf(2, 30), Log, scale{lo: 1, hi: 50, log: true}},
		{"forbidden", spanOf(0.5, 204), Linear, scale{lo: 0, hi: 250}},
	} {
		if got := valueScale(c.span, c.wish, 190, nil); got != c.want {
			t.Errorf("%s: got %+v, want %+v", c.name, got, c.want)
		}
	}
}

func TestScaleLeavesRoomForWords(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var s span
		var rooms []room
		for range rapid.IntRange(1, 6).Draw(t, "n") {
			v := tame(rapid.OneOf(rapid.Float64Range(-100, 100), rapid.Float64Range(1e-9, 1e9)).Draw(t, "value"))
			r := room{v, vg.Length(rapid.Float64Range(0, 45).Draw(t, "length"))}
			if v < 0 {
				r.length = -r.length
			}
			rooms = append(rooms, r)
			s.add(v)
		}
		got := valueScale(s, Auto, 190, rooms)
		for _, r := range rooms {
			at := got.at(r.at) + float64(r.length/190)
			if at < -0.02 || at > 1.02 {
				t.Fatalf("%+v: the words at %v end at %v of the axis", got, r.at, at)
			}
		}
	})
}

func TestEveryNumberIsWithinItsScale(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		numbers := rapid.SliceOfN(anyNumber(), 1, 8).Draw(t, "numbers")
		wish := anyScale().Draw(t, "scale")
		s := spanOf(numbers...)
		for name, sc := range map[string]scale{"value": valueScale(s, wish, 190, nil), "place": placeScale(s, wish, 0.04)} {
			if !(sc.lo < sc.hi) {
				t.Fatalf("%s scale %+v is empty", name, sc)
			}
			for _, x := range numbers {
				if at := sc.at(x); drawable(x) && !(at >= -1e-6 && at <= 1+1e-6) {
					t.Fatalf("%s scale %+v: %v is at %v", name, sc, x, at)
				}
			}
			last := math.Inf(-1)
			for _, tick := range sc.ticks(190, func(number) vg.Length { return 14 }) {
				if tick.label.digits == "" {
					continue
				}
				if !(tick.at > last) || sc.at(tick.at) < -1e-6 || sc.at(tick.at) > 1+1e-6 {
					t.Fatalf("%s scale %+v: tick %+v after %v", name, sc, tick, last)
				}
				last = tick.at
			}
		}
	})
}

func TestNumbersBesideTheData(t *testing.T) {
	for _, c := range []struct {
		x    float64
		want string
	}{
		{0, "0"}, {1, "1.00"}, {204.238, "204"}, {10.28, "10.3"}, {0.214254, "0.214"}, {0.00123, "0.00123"},
		{99.96, "100.0"}, {12345, "12345"}, {1e5, "1e5"}, {1.5e-7, "1.5e−7"}, {-2.5, "−2.50"}, {1e100, "1e100"},
	} {
		if got := format(c.x); got != c.want {
			t.Errorf("%v: got %s, want %s", c.x, got, c.want)
		}
	}
}

func TestWords(t *testing.T) {
	p := newPen()
	for _, c := range []struct{ name, text, want string }{
		{"white space and control characters", " a\tb\n\x00c\x1bd ", "a b cd"},
		{"invalid UTF-8", "a\xffb", "a?b"},
		{"what the font lacks", "日本 🎉", "?? ?"},
		{"what it has", "µs ≥ 10 – ½ · äβж", "µs ≥ 10 – ½ · äβж"},
	} {
		if got := p.clean(c.text); got != c.want {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
	if got := p.shorten(tickFace, "individuals_merge_00000010", 60); !strings.HasPrefix(got, "indiv") || !strings.HasSuffix(got, "00010") || p.width(tickFace, got) > 60 {
		t.Errorf("shortened to %q", got)
	}
	if got := fmt.Sprint(p.wrap(tickFace, "scheduling overhead of the scientific workflows", 80, 3)); got != "[scheduling overhead of the scientific workflows]" {
		t.Errorf("wrapped to %q", got)
	}
}

func TestWrappedTextIsNeverWiderThanItsLine(t *testing.T) {
	p := newPen()
	rapid.Check(t, func(t *rapid.T) {
		text := p.clean(rapid.OneOf(rapid.String(), anyName()).Draw(t, "text"))
		limit := vg.Length(rapid.Float64Range(12, 200).Draw(t, "limit"))
		n := rapid.IntRange(1, 4).Draw(t, "lines")
		lines := p.wrap(tickFace, text, limit, n)
		if len(lines) > n {
			t.Fatalf("%d lines", len(lines))
		}
		for _, line := range lines {
			if line == "" || p.width(tickFace, line) > limit+1e-9 {
				t.Fatalf("line %q is %v wide", line, p.width(tickFace, line))
			}
		}
	})
}

// Between items 1 and 2 of a list there is nothing.
func TestAnAxisOfWholeNumbersHasWholeTicks(t *testing.T) {
	for _, c := range []struct {
		numbers []float64
		want    string
	}{
		{[]float64{1, 2, 3, 4}, "1 2 3 4"},
		{[]float64{1, 2, 3.5, 4}, "1.0 1.5 2.0 2.5 3.0 3.5 4.0"},
		{[]float64{100, 200, 400}, "100 150 200 250 300 350 400"},
	} {
		var labels []string
		for _, tick := range placeScale(spanOf(c.numbers...), Linear, 0.04).ticks(210, func(number) vg.Length { return 14 }) {
			labels = append(labels, tick.label.text())
		}
		if got := strings.Join(labels, " "); got != c.want {
			t.Errorf("%v: ticks %s, want %s", c.numbers, got, c.want)
		}
	}
}
