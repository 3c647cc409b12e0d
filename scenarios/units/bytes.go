package units

import (
	"math/big"
	"strconv"

	"github.com/google/jsonschema-go/jsonschema"
)

// Bytes is an amount of data, never negative.
//
// It is written as a whole number of bytes, or as a decimal number and one of
// B, KB, MB, GB, TB (powers of 1000) and KiB, MiB, GiB, TiB (powers of 1024).
type Bytes int64

// Common sizes.
const (
	KB  Bytes = 1e3
	MB  Bytes = 1e6
	GB  Bytes = 1e9
	KiB Bytes = 1 << 10
	MiB Bytes = 1 << 20
	GiB Bytes = 1 << 30
)

var sizes = quantity{
	noun: "a size", examples: "739 (bytes), 3.4MB or 256MiB",
	units: []unit{
		{"", 1, 1}, {"B", 1, 1},
		{"KB", 1e3, 1}, {"kB", 1e3, 1}, {"MB", 1e6, 1}, {"GB", 1e9, 1}, {"TB", 1e12, 1},
		{"KiB", 1 << 10, 1}, {"MiB", 1 << 20, 1}, {"GiB", 1 << 30, 1}, {"TiB", 1 << 40, 1},
	},
}

// ParseBytes reads a size and keeps fractions of a byte, for means and other
// statistics.
func ParseBytes(text string) (float64, error) { return sizes.parseFloat(text) }

// UnmarshalText reads a size, rounded to the nearest byte.
func (b *Bytes) UnmarshalText(text []byte) error {
	v, err := sizes.parseInt(string(text))
	*b = Bytes(v)
	return err
}

// MarshalText writes the size as String does.
func (b Bytes) MarshalText() ([]byte, error) { return []byte(b.String()), nil }

// String returns the exact size in the unit that makes it shortest, such as
// 256MiB, 3.4MB or 325053B.
func (b Bytes) String() string {
	if b < 0 {
		return "-" + strconv.FormatInt(-int64(b), 10) + "B"
	}
	return shortest(int64(b))
}

// Human returns the size with three significant digits: 7.8 MB.
func (b Bytes) Human() string {
	return human(float64(b), []scale{
		{"B", 1, 1}, {"KB", 1e3, 1e3}, {"MB", 1e6, 1e6}, {"GB", 1e9, 1e9}, {"TB", 1e12, 1e12},
	})
}

// JSONSchema describes how a size is written.
func (Bytes) JSONSchema() *jsonschema.Schema {
	s := textSchema(`^[0-9]+(\.[0-9]+)? ?(|B|[kKMGT]B|[KMGT]iB)$`, "739B", "3.4MB", "256MiB")
	return &jsonschema.Schema{AnyOf: []*jsonschema.Schema{s, {Type: "integer", Minimum: new(float64)}}}
}

// shortest writes n bytes exactly, in the unit whose text is shortest; the
// first of equals wins. A fraction has at most three digits, so that a size
// does not turn into a long decimal.
func shortest(n int64) string {
	best := strconv.FormatInt(n, 10) + "B"
	for _, u := range sizes.units {
		if u.num == 1 || n < u.num || n%u.num*1000%u.num != 0 {
			continue
		}
		if s := decimal(big.NewRat(n, u.num)) + u.name; len(s) < len(best) {
			best = s
		}
	}
	return best
}
