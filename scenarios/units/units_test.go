package units_test

import (
	"encoding"
	"encoding/json"
	"math"
	"strings"
	"testing"

	"github.com/flowtwin/flowtwin/scenarios/units"
	"github.com/google/jsonschema-go/jsonschema"
	"pgregory.net/rapid"
)

func TestDurationsAreReadExactlyAndWrittenInTheirShortForm(t *testing.T) {
	for _, c := range []struct {
		text string
		want units.Duration
		out  string
	}{
		{"0", 0, "0s"},
		{"0s", 0, "0s"},
		{"7ns", 7, "7ns"},
		{"100us", 100_000, "100us"},
		{"100µs", 100_000, "100us"},
		{"100μs", 100_000, "100us"}, // Greek mu, as some keyboards type it
		{"20ms", 20_000_000, "20ms"},
		{"1500ms", 1_500_000_000, "1.5s"},
		{"1.5s", 1_500_000_000, "1.5s"},
		{"1.5 s", 1_500_000_000, "1.5s"},
		{"0.1s", 100_000_000, "100ms"}, // not a float: exactly 10^8
		{"90s", 90_000_000_000, "90s"},
		{"5min", 300_000_000_000, "5min"},
		{"1.5min", 90_000_000_000, "90s"},
		{"2h", 7_200_000_000_000, "2h"},
		{"1.0000001ms", 1_000_000, "1ms"}, // finer than a nanosecond: rounded
		{"9223372036.854775807s", math.MaxInt64, "9223372036.854775807s"},
	} {
		var d units.Duration
		if err := d.UnmarshalText([]byte(c.text)); err != nil || d != c.want || d.String() != c.out {
			t.Errorf("%q = %d, written %q, error %v; want %d, %q", c.text, d, d, err, c.want, c.out)
		}
	}
}

func TestSizesAreReadExactlyAndWrittenInTheirShortForm(t *testing.T) {
	for _, c := range []struct {
		text string
		want units.Bytes
		out  string
	}{
		{"0", 0, "0B"},
		{"739", 739, "739B"},
		{"739B", 739, "739B"},
		{"3.4MB", 3_400_000, "3.4MB"},
		{"256MiB", 256 << 20, "256MiB"},
		{"1KB", 1000, "1KB"},
		{"1kB", 1000, "1KB"},
		{"1KiB", 1024, "1KiB"},
		{"325053", 325053, "325053B"},
		{"32GB", 32e9, "32GB"},
		{"2TiB", 2 << 40, "2TiB"},
		{"1.2GiB", 1288490189, "1288490189B"}, // 1288490188.8, rounded
		{"9223372036854775807", math.MaxInt64, "9223372036854775807B"},
	} {
		var b units.Bytes
		if err := b.UnmarshalText([]byte(c.text)); err != nil || b != c.want || b.String() != c.out {
			t.Errorf("%q = %d, written %q, error %v; want %d, %q", c.text, b, b, err, c.want, c.out)
		}
	}
}

func TestBandwidthsCountBytesAndBitsAreEighths(t *testing.T) {
	for _, c := range []struct {
		text string
		want units.Bandwidth
		out  string
	}{
		{"50MB/s", 50_000_000, "50MB/s"},
		{"1Gbit/s", 125_000_000, "125MB/s"},
		{"409600kbit/s", 51_200_000, "51.2MB/s"}, // FaaSFlow's cap of "50 MB/s"
		{"300MiB/s", 300 << 20, "300MiB/s"},
		{"8bit/s", 1, "1B/s"},
		{"unlimited", units.Unlimited, "unlimited"},
	} {
		var b units.Bandwidth
		if err := b.UnmarshalText([]byte(c.text)); err != nil || b != c.want || b.String() != c.out {
			t.Errorf("%q = %d, written %q, error %v; want %d, %q", c.text, b, b, err, c.want, c.out)
		}
	}
}

func TestRatesArePerSecondAndReadBackAsTheSameNumber(t *testing.T) {
	for _, c := range []struct {
		text string
		want units.Rate
		out  string
	}{
		{"60/min", 1, "1/s"},
		{"10/s", 10, "10/s"},
		{"30/min", 0.5, "30/min"},
		{"2/h", 2.0 / 3600, "2/h"},
		{"7/min", 7.0 / 60, "7/min"},
		{"0/s", 0, "0/s"},
		{"2.5 /s", 2.5, "2.5/s"},
	} {
		var r units.Rate
		if err := r.UnmarshalText([]byte(c.text)); err != nil || r != c.want || r.String() != c.out {
			t.Errorf("%q = %v, written %q, error %v; want %v, %q", c.text, float64(r), r, err, float64(c.want), c.out)
		}
	}
}

func TestFractionsArePercentagesOrNumbers(t *testing.T) {
	for _, c := range []struct {
		text string
		want units.Fraction
		out  string
	}{
		{"5%", 0.05, "5%"},
		{"0.05", 0.05, "5%"},
		{"0.25", 0.25, "25%"},
		{"100%", 1, "100%"},
		{"0", 0, "0%"},
		{"1", 1, "100%"},
		{"33.3%", 0.333, "33.3%"},
	} {
		var f units.Fraction
		if err := f.UnmarshalText([]byte(c.text)); err != nil || f != c.want || f.String() != c.out {
			t.Errorf("%q = %v, written %q, error %v; want %v, %q", c.text, float64(f), f, err, float64(c.want), c.out)
		}
	}
}

func TestWhatIsWrongIsRefusedWithAnExampleOfARightValue(t *testing.T) {
	for _, c := range []struct {
		into       encoding.TextUnmarshaler
		text, want string
	}{
		{new(units.Duration), "5", `"5": it has no unit: a duration looks like 1.5s, 20ms, 100us, 5min or 2h`},
		{new(units.Duration), "-5s", `"-5s": it is negative: `},
		{new(units.Duration), "5sec", `"5sec": the unit "sec" is not known: `},
		{new(units.Duration), "", `"": it does not start with a number: `},
		{new(units.Duration), "s", `"s": it does not start with a number: `},
		{new(units.Duration), "1.2.3s", `it does not start with a number: `},
		{new(units.Duration), "1.s", `it does not start with a number: `},
		{new(units.Duration), "0.5ns", `it is not a whole number: `},
		{new(units.Duration), "0.0001us", `it is too small to be told from 0: `},
		{new(units.Duration), "300000000h", `it is too large: `},
		{new(units.Duration), strings.Repeat("9", 500) + "s", `it is too long: `},
		{new(units.Duration), "NaN", `it does not start with a number: `},
		{new(units.Duration), "1e9s", `the unit "e9s" is not known: `},
		{new(units.Bytes), "3.5", `it is not a whole number: a size looks like 739 (bytes), 3.4MB or 256MiB`},
		{new(units.Bytes), "5mb", `the unit "mb" is not known: `},
		{new(units.Bytes), "-1", `it is negative: `},
		{new(units.Bytes), "9223372036854775808", `it is too large: `},
		{new(units.Bandwidth), "50", `it has no unit: a bandwidth looks like 50MB/s, 300MiB/s, 1Gbit/s or unlimited`},
		{new(units.Bandwidth), "50MB", `the unit "MB" is not known: `},
		{new(units.Bandwidth), "0MB/s", `it must be above 0: `},
		{new(units.Rate), "60", `it has no unit: a rate looks like 10/s, 60/min or 2/h`},
		{new(units.Rate), "60/day", `the unit "/day" is not known: `},
		{new(units.Fraction), "150%", `it is above 1: a fraction looks like 5% or 0.05, between 0 and 1`},
		{new(units.Fraction), "-5%", `it is negative: `},
	} {
		err := c.into.UnmarshalText([]byte(c.text))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%T from %q: error %v, want %s", c.into, c.text, err, c.want)
		}
	}
}

func TestTablesShowThreeSignificantDigits(t *testing.T) {
	for _, c := range []struct{ got, want string }{
		{units.Duration(1_314_159_265).Human(), "1.31 s"},
		{units.Duration(45_000_000).Human(), "45 ms"},
		{units.Duration(45_049_000).Human(), "45 ms"},
		{units.Duration(45_060_000).Human(), "45.1 ms"},
		{units.Duration(999_600_000).Human(), "1 s"}, // never "1000 ms"
		{units.Duration(999_400_000).Human(), "999 ms"},
		{units.Duration(123_456_000_000).Human(), "123 s"},
		{(20 * units.Minute).Human(), "20 min"},
		{(50 * units.Hour).Human(), "50 h"},
		{units.Duration(7).Human(), "7 ns"},
		{units.Duration(12_345).Human(), "12.3 µs"},
		{units.Duration(0).Human(), "0 s"},
		{units.Duration(-1_500_000).Human(), "-1.5 ms"},
		{units.Bytes(7_800_000).Human(), "7.8 MB"},
		{units.Bytes(0).Human(), "0 B"},
		{units.Bytes(1_208_319_438).Human(), "1.21 GB"},
		{units.Bytes(999).Human(), "999 B"},
		{units.Bytes(999_999).Human(), "1 MB"},
		{units.Bandwidth(51_200_000).Human(), "51.2 MB/s"},
		{units.Unlimited.Human(), "unlimited"},
		{units.Rate(12.345).Human(), "12.3 /s"},
		{units.Rate(0.5).Human(), "30 /min"},
		{units.Rate(2.0 / 3600).Human(), "2 /h"},
		{units.Fraction(0.0512).Human(), "5.12%"},
	} {
		if c.got != c.want {
			t.Errorf("got %q, want %q", c.got, c.want)
		}
	}
}

func TestStatisticsKeepFractionsOfABaseUnit(t *testing.T) {
	if ns, err := units.ParseDuration("1.25ns"); ns != 1.25 || err != nil {
		t.Errorf("1.25ns = %v, %v", ns, err)
	}
	if b, err := units.ParseBytes("0.1KiB"); b != 102.4 || err != nil {
		t.Errorf("0.1KiB = %v, %v", b, err)
	}
	if _, err := units.ParseDuration(strings.Repeat("9", 350) + "s"); err == nil {
		t.Error("a duration beyond float64 was read")
	}
}

func TestEveryValueReadsBackAsItself(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := units.Duration(rapid.Int64Min(0).Draw(t, "duration"))
		b := units.Bytes(rapid.Int64Min(0).Draw(t, "bytes"))
		w := units.Bandwidth(rapid.Int64Min(0).Draw(t, "bandwidth"))
		r := units.Rate(rapid.Float64Range(0, math.MaxFloat64).Draw(t, "rate"))
		f := units.Fraction(rapid.Float64Range(0, 1).Draw(t, "fraction"))
		var d2 units.Duration
		var b2 units.Bytes
		var w2 units.Bandwidth
		var r2 units.Rate
		var f2 units.Fraction
		readBack(t, d, &d2)
		readBack(t, b, &b2)
		readBack(t, w, &w2)
		readBack(t, r, &r2)
		readBack(t, f, &f2)
		if d != d2 || b != b2 || w != w2 || r != r2 || f != f2 {
			t.Fatalf("%v %v, %v %v, %v %v, %v %v, %v %v", d, d2, b, b2, w, w2, r, r2, f, f2)
		}
	})
}

func readBack(t *rapid.T, from encoding.TextMarshaler, to encoding.TextUnmarshaler) {
	text, err := from.MarshalText()
	if err == nil {
		err = to.UnmarshalText(text)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// An editor that checks a file against the schema must accept whatever String
// writes, or it would underline what flowtwin itself has written.
func TestSchemasAcceptWhatStringWrites(t *testing.T) {
	accept := func(t *rapid.T, s *jsonschema.Schema, text string) {
		resolved, err := s.Resolve(nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := resolved.Validate(text); err != nil {
			t.Fatal(err)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.Int64Min(0).Draw(t, "n")
		accept(t, units.Duration(n).JSONSchema(), units.Duration(n).String())
		accept(t, units.Bytes(n).JSONSchema(), units.Bytes(n).String())
		accept(t, units.Bandwidth(n).JSONSchema(), units.Bandwidth(n).String())
		r := units.Rate(rapid.Float64Range(0, 1e9).Draw(t, "rate"))
		accept(t, r.JSONSchema(), r.String())
	})
	for _, refused := range []struct {
		schema *jsonschema.Schema
		json   string
	}{
		{units.Duration(0).JSONSchema(), `5`},
		{units.Duration(0).JSONSchema(), `"5 sec"`},
		{units.Bytes(0).JSONSchema(), `-1`},
		{units.Bandwidth(0).JSONSchema(), `"50MB"`},
		{units.Rate(0).JSONSchema(), `"60"`},
		{units.Fraction(0).JSONSchema(), `1.5`},
	} {
		var v any
		if err := json.Unmarshal([]byte(refused.json), &v); err != nil {
			t.Fatal(err)
		}
		resolved, err := refused.schema.Resolve(nil)
		if err != nil {
			t.Fatal(err)
		}
		if resolved.Validate(v) == nil {
			t.Errorf("%s is accepted", refused.json)
		}
	}
}

func FuzzQuantities(f *testing.F) {
	for _, seed := range []string{"1.5s", "100µs", "3.4MB", "1Gbit/s", "60/min", "5%", "-1", "1..2s", "\x00", "9e99"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, v := range []interface {
			encoding.TextUnmarshaler
			encoding.TextMarshaler
		}{new(units.Duration), new(units.Bytes), new(units.Bandwidth), new(units.Rate), new(units.Fraction)} {
			if v.UnmarshalText([]byte(text)) != nil {
				continue
			}
			first, _ := v.MarshalText()
			if err := v.UnmarshalText(first); err != nil {
				t.Fatalf("%T: %q is written %q: %v", v, text, first, err)
			}
			if again, _ := v.MarshalText(); string(again) != string(first) {
				t.Fatalf("%T: %q is written %q, then %q", v, text, first, again)
			}
		}
	})
}
