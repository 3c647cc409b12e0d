package units

import (
	"strconv"

	"github.com/google/jsonschema-go/jsonschema"
)

// Rate is how often something happens, per second; never negative.
//
// It is written as a decimal number and one of /s, /min and /h.
type Rate float64

var rates = quantity{
	noun: "a rate", examples: "10/s, 60/min or 2/h",
	units: []unit{{"/s", 1, 1}, {"/min", 1, 60}, {"/h", 1, 3600}},
}

// UnmarshalText reads a rate.
func (r *Rate) UnmarshalText(text []byte) error {
	v, err := rates.parseFloat(string(text))
	*r = Rate(v)
	return err
}

// MarshalText writes the rate as String does.
func (r Rate) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// String returns the rate with the unit that makes it shortest, so that it
// reads back as exactly the same number.
func (r Rate) String() string {
	if r < 0 {
		return "-" + (-r).String()
	}
	best := strconv.FormatFloat(float64(r), 'f', -1, 64) + "/s"
	for _, u := range rates.units[1:] {
		s := strconv.FormatFloat(float64(r)*float64(u.den), 'f', -1, 64) + u.name
		var back Rate
		if back.UnmarshalText([]byte(s)) == nil && back == r && len(s)-len(u.name) < len(best)-len("/s") {
			best = s
		}
	}
	return best
}

// Human returns the rate with three significant digits, per second, minute or
// hour: 12.5 /s, 30 /min.
func (r Rate) Human() string {
	switch {
	case r == 0 || r >= 1:
		return threeDigits(float64(r)) + " /s"
	case r*60 >= 1:
		return threeDigits(float64(r)*60) + " /min"
	default:
		return threeDigits(float64(r)*3600) + " /h"
	}
}

// JSONSchema describes how a rate is written.
func (Rate) JSONSchema() *jsonschema.Schema {
	return textSchema(`^[0-9]+(\.[0-9]+)? ?/(s|min|h)$`, "10/s", "60/min", "2/h")
}
