package figures

import (
	"math"
	"strconv"
	"strings"

	"gonum.org/v1/plot/vg"
)

// Scale is how an axis maps numbers to lengths.
type Scale int

// The scales.
const (
	// Auto is Log if all numbers are at least zero and the positive ones span
	// more than two decades, else Linear.
	Auto Scale = iota
	// Linear starts at zero unless the numbers are all close together and far
	// from it.
	Linear
	// Log is logarithmic. Zeros stand at its lower end. With negative numbers,
	// or without positive ones, it is Linear.
	Log
)

// drawable reports whether a number can be put on an axis.
func drawable(x float64) bool { return math.Abs(x) < 1e100 } // false for NaN

// tame makes numbers zero that are too small to have an exact decade.
func tame(x float64) float64 {
	if math.Abs(x) < 1e-100 {
		return 0
	}
	return x
}

// span collects the numbers that an axis has to show.
type span struct {
	lo, hi   float64
	positive float64 // the smallest number above zero
	any      bool
	broken   bool // some number is not whole
}

func (s *span) add(numbers ...float64) {
	for _, x := range numbers {
		if !drawable(x) {
			continue
		}
		x = tame(x)
		if !s.any {
			s.lo, s.hi = x, x
		}
		s.lo, s.hi, s.any = min(s.lo, x), max(s.hi, x), true
		s.broken = s.broken || x != math.Trunc(x)
		if x > 0 && (s.positive == 0 || x < s.positive) {
			s.positive = x
		}
	}
}

// merge adds all of another span.
func (s *span) merge(other span) {
	if other.any {
		s.add(other.lo, other.hi)
		s.broken = s.broken || other.broken
		if other.positive > 0 {
			s.add(other.positive)
		}
	}
}

// isLog says whether the scale of these numbers is logarithmic.
func (s span) isLog(wish Scale) bool {
	if s.lo < 0 || s.positive == 0 {
		return false
	}
	return wish == Log || wish == Auto && s.hi > 100*s.positive
}

// scale maps numbers from lo to hi to 0 to 1.
type scale struct {
	lo, hi float64
	log    bool
	whole  bool // numbers between whole ones mean nothing
}

// at returns where a number stands on the axis; what is below a logarithmic
// axis stands at its lower end.
func (s scale) at(x float64) float64 {
	if s.log {
		if x <= s.lo {
			return 0
		}
		return math.Log(x/s.lo) / math.Log(s.hi/s.lo)
	}
	return (x - s.lo) / (s.hi - s.lo)
}

// contains reports whether a number is within the axis.
func (s scale) contains(x float64) bool { return x >= s.lo && x <= s.hi }

// room asks for free length beyond a number: above if positive, below if
// negative.
type room struct {
	at     float64
	length vg.Length
}

// valueScale returns the scale of an axis that shows quantities (latencies,
// counts): it starts at zero if that is sensible, ends at ticks, and leaves the
// rooms asked for free.
func valueScale(s span, wish Scale, length vg.Length, rooms []room) scale {
	if !s.any {
		return scale{lo: 0, hi: 1}
	}
	if s.isLog(wish) {
		// A bar of the smallest value still is a bar.
		out := scale{lo: niceBelow(s.positive / 1.4), hi: niceAbove(s.hi), log: true}
		for _, r := range rooms {
			if share := float64(r.length / length); r.length > 0 && r.at > out.lo && share < 0.9 {
				need := math.Exp(math.Log(r.at/out.lo)/(1-share)) * out.lo
				out.hi = max(out.hi, min(need, 1e300))
			}
		}
		return out
	}
	out := scale{lo: s.lo, hi: s.hi}
	if size := max(math.Abs(s.lo), math.Abs(s.hi)); s.hi-s.lo > 0.1*size || s.hi-s.lo < 1e-9*size {
		out.lo, out.hi = min(out.lo, 0), max(out.hi, 0)
	}
	if out.lo == out.hi { // all zero
		out.hi = 1
	}
	// Rooms and rounding to ticks change the range that rooms are shares of:
	// a few rounds settle it.
	for range 3 {
		step := out.step(int(length / 28))
		out.lo, out.hi = math.Floor(out.lo/step+1e-9)*step, math.Ceil(out.hi/step-1e-9)*step
		grown := false
		for _, r := range rooms {
			share := float64(r.length / length)
			switch {
			case share > 0 && share < 0.9 && out.at(r.at)+share > 1+1e-9:
				out.hi, grown = out.lo+(r.at-out.lo)/(1-share), true
			case share < 0 && share > -0.9 && out.at(r.at)+share < -1e-9:
				out.lo, grown = out.hi-(out.hi-r.at)/(1+share), true
			}
		}
		if !grown {
			break
		}
	}
	return out
}

// placeScale returns the scale of an axis that says where (a rate, a size, a
// time): it fits the numbers, with a margin as a share of the length.
func placeScale(s span, wish Scale, margin float64) scale {
	if !s.any {
		return scale{lo: 0, hi: 1}
	}
	if s.isLog(wish) {
		ratio := math.Pow(max(s.hi/s.positive, 1.5), max(margin, 0.01))
		return scale{lo: s.positive / ratio, hi: s.hi * ratio, log: true}
	}
	width := s.hi - s.lo
	if width < 1e-9*max(math.Abs(s.lo), math.Abs(s.hi)) || width == 0 {
		width = max(math.Abs(s.lo)/4, 1e-3)
		return scale{lo: s.lo - width, hi: s.hi + width}
	}
	return scale{lo: s.lo - margin*width, hi: s.hi + margin*width, whole: !s.broken}
}

// niceBelow and niceAbove round a positive number to 1, 2 or 5 times a power of
// ten.
func niceBelow(x float64) float64 {
	for _, m := range []float64{5, 2} {
		if n := m * decade(x); n <= x*(1+1e-9) {
			return n
		}
	}
	return decade(x)
}

func niceAbove(x float64) float64 {
	for _, m := range []float64{1, 2, 5} {
		if n := m * decade(x); n >= x*(1-1e-9) {
			return n
		}
	}
	return 10 * decade(x)
}

// decade returns the power of ten at or below a positive number.
func decade(x float64) float64 {
	return power10(int(math.Floor(math.Log10(x) + 1e-12)))
}

// power10 is exact where a float64 can be, unlike math.Pow.
func power10(n int) float64 {
	x, _ := strconv.ParseFloat("1e"+strconv.Itoa(n), 64)
	return x
}

// tickStep returns the smallest step of 1, 2 or 5 times a power of ten that
// gives at most n intervals.
func tickStep(width float64, n int) float64 {
	return niceAbove(width / float64(max(n, 1)))
}

// tick is a mark on an axis. A minor one has no label.
type tick struct {
	at    float64
	label number
}

// number is a printed number: digits, and the exponent of ten that is raised
// behind them.
type number struct{ digits, exponent string }

// text is the number on one line.
func (n number) text() string { return n.digits + n.exponent }

// ticks returns the ticks of a scale of which labels fit, given the room that
// a label takes along the axis.
func (s scale) ticks(length vg.Length, room func(number) vg.Length) []tick {
	if s.log {
		return s.logTicks(length, room)
	}
	for n := int(length / 28); n > 1; n-- {
		out := s.linearTicks(s.step(n))
		if fits(s, out, length, room) {
			return out
		}
	}
	out := s.linearTicks(s.step(1))
	if !fits(s, out, length, room) {
		out = out[:min(len(out), 1)]
	}
	return out
}

// step returns a step between ticks that makes at most n intervals.
func (s scale) step(n int) float64 {
	step := tickStep(s.hi-s.lo, n)
	if s.whole {
		step = max(step, 1)
	}
	return step
}

func (s scale) linearTicks(step float64) []tick {
	var values []float64
	for i := math.Ceil(s.lo/step - 1e-9); i <= math.Floor(s.hi/step+1e-9) && len(values) < 1000; i++ {
		values = append(values, stepped(i, step))
	}
	out := make([]tick, len(values))
	for i, n := range formatSteps(values, step) {
		out[i] = tick{values[i], n}
	}
	return out
}

// stepped returns i·step without the rounding of steps such as 0.1.
func stepped(i, step float64) float64 {
	if step < 1 {
		if per := math.Round(1 / step); per < 1e15 && math.Abs(per*step-1) < 1e-9 {
			return i / per
		}
	}
	return i * step
}

// logTicks labels decades, every so many of them if they are many, and 2 and 5
// in between if they are few. Unlabelled ticks stand at 2 to 9 of each decade.
func (s scale) logTicks(length vg.Length, room func(number) vg.Length) []tick {
	first, last := int(math.Floor(math.Log10(s.lo)+1e-9)), int(math.Ceil(math.Log10(s.hi)-1e-9))
	short := first >= -4 && last <= 5
	label := func(m, e int) tick {
		v := float64(m) * power10(e)
		if short {
			return tick{v, number{digits: strconv.FormatFloat(v, 'f', max(0, -e), 64)}}
		}
		n := number{digits: "10", exponent: minus(strconv.Itoa(e))}
		if m > 1 {
			n.digits = strconv.Itoa(m) + "·10"
		}
		return tick{v, n}
	}
	within := func(v float64) bool { return v >= s.lo*(1-1e-9) && v <= s.hi*(1+1e-9) }
	var minor []tick
	if last-first <= 6 && float64(length)/float64(last-first) > 24 {
		for e := first; e <= last; e++ {
			for m := 2; m <= 9; m++ {
				if v := float64(m) * power10(e); within(v) {
					minor = append(minor, tick{at: v})
				}
			}
		}
	}
	for _, between := range [][]int{{1, 2, 5}, {1, 3}, {1}} {
		if last-first > 3 && len(between) > 1 {
			continue
		}
		var out []tick
		for e := first; e <= last; e++ {
			for _, m := range between {
				if t := label(m, e); within(t.at) {
					out = append(out, t)
				}
			}
		}
		if len(out) > 1 && fits(s, out, length, room) {
			return append(out, minor...)
		}
	}
	for every := 2; every <= last-first; every++ {
		var out []tick
		for e := first; e <= last; e++ {
			if t := label(1, e); e%every == 0 && within(t.at) {
				out = append(out, t)
			}
		}
		if fits(s, out, length, room) {
			return append(out, minor...)
		}
	}
	return minor
}

// fits reports whether the labels of ticks in ascending order leave a gap
// between each other.
func fits(s scale, ticks []tick, length vg.Length, room func(number) vg.Length) bool {
	for i := 1; i < len(ticks); i++ {
		apart := vg.Length(s.at(ticks[i].at)-s.at(ticks[i-1].at)) * length
		if apart < (room(ticks[i].label)+room(ticks[i-1].label))/2 {
			return false
		}
	}
	return true
}

// formatSteps prints multiples of a step with as many digits as tell them
// apart: plainly, or as digits times a power of ten if they are very large or
// small.
func formatSteps(values []float64, step float64) []number {
	largest := 0.0
	for _, v := range values {
		largest = max(largest, math.Abs(v))
	}
	out := make([]number, len(values))
	places := -int(math.Floor(math.Log10(step) + 1e-9))
	if largest < 1e5 && places <= 4 {
		for i, v := range values {
			out[i] = number{digits: minus(strconv.FormatFloat(v, 'f', max(places, 0), 64))}
		}
		return out
	}
	e := int(math.Floor(math.Log10(largest) + 1e-9))
	if digits := places + e; places <= 0 && e < 12 && digits > 3 {
		// 1000000020 is shorter than 1.00000002·10⁹.
		for i, v := range values {
			out[i] = number{digits: minus(strconv.FormatFloat(v, 'f', 0, 64))}
		}
		return out
	}
	for i, v := range values {
		if v == 0 {
			out[i] = number{digits: "0"}
			continue
		}
		digits := strconv.FormatFloat(v/power10(e), 'f', min(max(places+e, 0), 15), 64)
		out[i] = number{minus(digits) + "·10", minus(strconv.Itoa(e))}
	}
	return out
}

// minus prints negative numbers with a minus sign, and never a negative zero.
func minus(digits string) string {
	if rest, ok := strings.CutPrefix(digits, "-"); ok {
		if strings.Trim(rest, "0.") == "" {
			return rest
		}
		return "−" + rest
	}
	return digits
}

// format prints a number beside the data, to three digits.
func format(x float64) string {
	size := math.Abs(x)
	switch {
	case x == 0:
		return "0"
	case size < 1e-3 || size >= 1e5:
		digits, exponent, _ := strings.Cut(strconv.FormatFloat(x, 'e', 2, 64), "e")
		e, _ := strconv.Atoi(exponent)
		return minus(strings.TrimRight(strings.TrimRight(digits, "0"), ".")) + "e" + minus(strconv.Itoa(e))
	case size >= 100:
		return minus(strconv.FormatFloat(x, 'f', 0, 64))
	}
	places := 2 - int(math.Floor(math.Log10(size)+1e-9))
	return minus(strconv.FormatFloat(x, 'f', max(places, 0), 64))
}
