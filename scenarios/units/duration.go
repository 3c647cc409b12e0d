package units

import (
	"math/big"
	"strconv"

	"github.com/google/jsonschema-go/jsonschema"
)

// Duration is a span of time in nanoseconds, never negative.
//
// It is written as a decimal number and one of ns, us (or µs), ms, s, min and
// h, such as 1.5s or 5min; a bare 0 will do.
type Duration int64

// Common durations.
const (
	Nanosecond  Duration = 1
	Microsecond          = 1000 * Nanosecond
	Millisecond          = 1000 * Microsecond
	Second               = 1000 * Millisecond
	Minute               = 60 * Second
	Hour                 = 60 * Minute
)

var durations = quantity{
	noun: "a duration", examples: "1.5s, 20ms, 100us, 5min or 2h", zero: true,
	units: []unit{
		{"ns", 1, 1}, {"us", 1e3, 1}, {"µs", 1e3, 1}, {"μs", 1e3, 1}, {"ms", 1e6, 1},
		{"s", 1e9, 1}, {"min", 60e9, 1}, {"h", 3600e9, 1},
	},
}

// ParseDuration reads a duration and keeps fractions of a nanosecond, for
// means and other statistics.
func ParseDuration(text string) (nanoseconds float64, err error) {
	return durations.parseFloat(text)
}

// UnmarshalText reads a duration, rounded to the nearest nanosecond.
func (d *Duration) UnmarshalText(text []byte) error {
	v, err := durations.parseInt(string(text))
	*d = Duration(v)
	return err
}

// MarshalText writes the duration as String does.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// String returns the exact duration in the largest unit that suits it, such
// as 1.5s, 120ms or 5min.
func (d Duration) String() string {
	switch {
	case d == 0:
		return "0s"
	case d < 0:
		return "-" + strconv.FormatInt(-int64(d), 10) + "ns"
	case d%Hour == 0:
		return d.in(Hour) + "h"
	case d%Minute == 0:
		return d.in(Minute) + "min"
	case d >= Second:
		return d.in(Second) + "s"
	case d >= Millisecond:
		return d.in(Millisecond) + "ms"
	case d >= Microsecond:
		return d.in(Microsecond) + "us"
	default:
		return strconv.FormatInt(int64(d), 10) + "ns"
	}
}

// in writes the duration as a decimal multiple of a unit.
func (d Duration) in(unit Duration) string { return decimal(big.NewRat(int64(d), int64(unit))) }

// Seconds returns the duration in seconds.
func (d Duration) Seconds() float64 { return float64(d) / 1e9 }

// Human returns the duration with three significant digits: 1.31 s, 45 ms.
func (d Duration) Human() string {
	if d == 0 {
		return "0 s"
	}
	return human(float64(d), []scale{
		{"ns", 1, 1}, {"µs", 1e3, 1e3}, {"ms", 1e6, 1e6}, {"s", 1e9, 1e9},
		{"min", 60e9, 1000e9}, {"h", 3600e9, 60_000e9},
	})
}

// JSONSchema describes how a duration is written.
func (Duration) JSONSchema() *jsonschema.Schema {
	var zero any = 0
	return &jsonschema.Schema{AnyOf: []*jsonschema.Schema{
		textSchema(`^[0-9]+(\.[0-9]+)? ?(ns|us|µs|μs|ms|s|min|h)$`, "1.5s", "20ms", "5min"),
		{Const: &zero},
	}}
}
