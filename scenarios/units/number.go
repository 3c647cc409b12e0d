package units

import (
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"
)

// maxText is longer than any float64 written as a decimal; what is longer is
// refused before any arithmetic.
const maxText = 400

// unit is one way to write a quantity: value × num / den base units.
type unit struct {
	name     string
	num, den int64
}

// quantity describes one kind of quantity, for parsing and for errors.
type quantity struct {
	noun     string // "a duration"
	examples string // "1.5s, 100us or 5min"
	units    []unit
	zero     bool // a bare 0 needs no unit
}

func (q *quantity) errorf(text, format string, args ...any) error {
	if len(text) > 40 {
		text = text[:40] + "…"
	}
	return fmt.Errorf("%q: %s: %s looks like %s", text, fmt.Sprintf(format, args...), q.noun, q.examples)
}

// parse returns the exact value of text, which is not negative, in base
// units, and the unit it was written in.
func (q *quantity) parse(text string) (*big.Rat, unit, error) {
	number, name := split(text)
	switch {
	case len(text) > maxText:
		return nil, unit{}, q.errorf(text, "it is too long")
	case strings.HasPrefix(strings.TrimSpace(text), "-"):
		return nil, unit{}, q.errorf(text, "it is negative")
	case number == "":
		return nil, unit{}, q.errorf(text, "it does not start with a number")
	}
	value, ok := new(big.Rat).SetString(number)
	if !ok {
		return nil, unit{}, q.errorf(text, "%s is not a number", number)
	}
	for _, u := range q.units {
		if u.name == name {
			return value.Mul(value, big.NewRat(u.num, u.den)), u, nil
		}
	}
	switch {
	case name != "":
		return nil, unit{}, q.errorf(text, "the unit %q is not known", name)
	case q.zero && value.Sign() == 0:
		return value, unit{}, nil
	default:
		return nil, unit{}, q.errorf(text, "it has no unit")
	}
}

// parseInt is parse, rounded to the nearest whole number of base units. An
// overflow of int64 is refused, and so is a fraction of the base unit itself.
func (q *quantity) parseInt(text string) (int64, error) {
	value, u, err := q.parse(text)
	if err != nil {
		return 0, err
	}
	// Round half up: floor(value + 1/2).
	sum := new(big.Rat).Add(value, big.NewRat(1, 2))
	whole := new(big.Int).Quo(sum.Num(), sum.Denom())
	switch {
	case !whole.IsInt64():
		return 0, q.errorf(text, "it is too large")
	case u.num == u.den && !value.IsInt():
		return 0, q.errorf(text, "it is not a whole number")
	case whole.Sign() == 0 && value.Sign() != 0:
		return 0, q.errorf(text, "it is too small to be told from 0")
	}
	return whole.Int64(), nil
}

// parseFloat is parse, rounded to the nearest float64.
func (q *quantity) parseFloat(text string) (float64, error) {
	value, _, err := q.parse(text)
	if err != nil {
		return 0, err
	}
	f, _ := value.Float64()
	if math.IsInf(f, 0) {
		return 0, q.errorf(text, "it is too large")
	}
	return f, nil
}

// split cuts a quantity into its decimal number and its unit. The number is
// empty unless it is digits with at most one point, which is not the last.
func split(text string) (number, unit string) {
	text = strings.TrimSpace(text)
	end := strings.IndexFunc(text, func(r rune) bool { return r != '.' && (r < '0' || r > '9') })
	if end < 0 {
		end = len(text)
	}
	number, unit = text[:end], strings.TrimSpace(text[end:])
	if strings.Count(number, ".") > 1 || strings.HasPrefix(number, ".") || strings.HasSuffix(number, ".") {
		return "", ""
	}
	return number, unit
}

// decimal writes a fraction whose denominator is a product of twos and fives,
// exactly, without exponent or trailing zeros.
func decimal(value *big.Rat) string {
	digits, _ := value.FloatPrec()
	return value.FloatString(digits)
}

// threeDigits rounds a number that is not negative to three significant
// digits, and leaves out zeros behind the point.
func threeDigits(v float64) string {
	digits := 2
	for limit := 9.995; digits > 0 && v >= limit; limit *= 10 {
		digits--
	}
	s := strconv.FormatFloat(v, 'f', digits, 64)
	if strings.Contains(s, ".") {
		s = strings.TrimRight(strings.TrimRight(s, "0"), ".")
	}
	return s
}

// scale is one step of a human-readable scale: a unit, how many base units it
// is, and from which value on it is used.
type scale struct {
	name       string
	size, from float64
}

// human writes v, in base units, with the last scale that v reaches.
func human(v float64, scales []scale) string {
	if v < 0 {
		return "-" + human(-v, scales)
	}
	s := scales[0]
	for _, next := range scales[1:] {
		if v >= 0.9995*next.from { // what would be rounded up to it
			s = next
		}
	}
	return threeDigits(v/s.size) + " " + s.name
}
