package units

import (
	"math/big"
	"strconv"

	"github.com/google/jsonschema-go/jsonschema"
)

// Fraction is a part of a whole, from 0 to 1.
//
// It is written as a percentage, 5%, or as a number, 0.05.
type Fraction float64

var fractions = quantity{
	noun: "a fraction", examples: "5% or 0.05, between 0 and 1",
	units: []unit{{"", 1, 1}, {"%", 1, 100}},
}

// UnmarshalText reads a fraction. What is above 1 is refused.
func (f *Fraction) UnmarshalText(text []byte) error {
	v, err := fractions.parseFloat(string(text))
	if err == nil && v > 1 {
		err = fractions.errorf(string(text), "it is above 1")
	}
	*f = Fraction(v)
	return err
}

// MarshalText writes the fraction as String does.
func (f Fraction) MarshalText() ([]byte, error) { return []byte(f.String()), nil }

// String returns the fraction as a percentage that reads back as exactly the
// same number.
func (f Fraction) String() string {
	shortest, ok := new(big.Rat).SetString(strconv.FormatFloat(float64(f), 'f', -1, 64))
	if !ok {
		return strconv.FormatFloat(float64(f), 'f', -1, 64)
	}
	return decimal(shortest.Mul(shortest, big.NewRat(100, 1))) + "%"
}

// Human returns the fraction as a percentage with three significant digits.
func (f Fraction) Human() string {
	if f < 0 {
		return "-" + (-f).Human()
	}
	return threeDigits(float64(f)*100) + "%"
}

// JSONSchema describes how a fraction is written.
func (Fraction) JSONSchema() *jsonschema.Schema {
	one := 1.0
	return &jsonschema.Schema{AnyOf: []*jsonschema.Schema{
		textSchema(`^[0-9]+(\.[0-9]+)? ?%$`, "5%", "100%"),
		{Type: "number", Minimum: new(float64), Maximum: &one},
	}}
}
