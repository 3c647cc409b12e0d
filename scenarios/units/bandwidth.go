package units

import "github.com/google/jsonschema-go/jsonschema"

// Bandwidth is a data rate in bytes per second. Unlimited, the zero value,
// stands for no limit.
//
// It is written as a decimal number and one of B/s, KB/s, MB/s, GB/s, KiB/s,
// MiB/s, GiB/s, bit/s, kbit/s, Mbit/s and Gbit/s, or as "unlimited". All of
// the k, M, G are powers of 1000.
type Bandwidth int64

// Unlimited is the bandwidth of a link that never is the bottleneck.
const Unlimited Bandwidth = 0

var bandwidths = quantity{
	noun: "a bandwidth", examples: "50MB/s, 300MiB/s, 1Gbit/s or unlimited",
	units: []unit{
		{"B/s", 1, 1}, {"KB/s", 1e3, 1}, {"kB/s", 1e3, 1}, {"MB/s", 1e6, 1}, {"GB/s", 1e9, 1}, {"TB/s", 1e12, 1},
		{"KiB/s", 1 << 10, 1}, {"MiB/s", 1 << 20, 1}, {"GiB/s", 1 << 30, 1}, {"TiB/s", 1 << 40, 1},
		{"bit/s", 1, 8}, {"kbit/s", 1e3, 8}, {"Mbit/s", 1e6, 8}, {"Gbit/s", 1e9, 8}, {"Tbit/s", 1e12, 8},
	},
}

// UnmarshalText reads a bandwidth, rounded to whole bytes per second. A
// bandwidth of 0 is refused: nothing would ever arrive.
func (b *Bandwidth) UnmarshalText(text []byte) error {
	if string(text) == "unlimited" {
		*b = Unlimited
		return nil
	}
	v, err := bandwidths.parseInt(string(text))
	if err == nil && v == 0 {
		err = bandwidths.errorf(string(text), "it must be above 0")
	}
	*b = Bandwidth(v)
	return err
}

// MarshalText writes the bandwidth as String does.
func (b Bandwidth) MarshalText() ([]byte, error) { return []byte(b.String()), nil }

// String returns the exact bandwidth in the unit that makes it shortest, such
// as 51.2MB/s or 300MiB/s.
func (b Bandwidth) String() string {
	if b == Unlimited {
		return "unlimited"
	}
	return Bytes(b).String() + "/s"
}

// Human returns the bandwidth with three significant digits: 51.2 MB/s.
func (b Bandwidth) Human() string {
	if b == Unlimited {
		return "unlimited"
	}
	return Bytes(b).Human() + "/s"
}

// JSONSchema describes how a bandwidth is written.
func (Bandwidth) JSONSchema() *jsonschema.Schema {
	return textSchema(`^([0-9]+(\.[0-9]+)? ?([kKMGT]?B|[KMGT]iB|[kMGT]?bit)/s|unlimited)$`, "50MB/s", "1Gbit/s", "unlimited")
}
