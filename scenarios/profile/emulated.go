package profile

import (
	"cmp"
	"reflect"
	"strings"

	"github.com/flowtwin/flowtwin/scenarios/yamlfile"
)

// Treatment is what the emulator makes of a constant. The simulator obeys all
// of them.
type Treatment string

// Treatments.
const (
	// Paced: whoever does what the constant is about is held until the time is
	// over, or to the bandwidth.
	Paced Treatment = "paced"
	// Measured: the real thing takes the time that it takes, whatever the
	// constant says.
	Measured Treatment = "measured"
	// Rule: it is no matter of speed. The engine, the layout of the data or
	// the accounts obey it in both worlds.
	Rule Treatment = "rule"
	// NotApplied: nothing in the emulator corresponds to it.
	NotApplied Treatment = "not applied"
)

// Constant is a constant of a profile and what the emulator makes of it.
type Constant struct {
	Path      string
	Treatment Treatment
}

// Emulated lists all constants in the order of the profile's fields, with what
// the emulator makes of them, with pacing or without. except is what the back
// end at hand does otherwise, by path; nil if nothing.
//
// Each field says it in a tag: what holds with pacing, then what holds without,
// if that is not the same.
func Emulated(pace bool, except map[string]Treatment) []Constant {
	var all []Constant
	var group func(t reflect.Type, path string)
	group = func(t reflect.Type, path string) {
		for i := range t.NumField() {
			field := t.Field(i)
			at := yamlfile.Join(path, field.Tag.Get("yaml"))
			if isGroup(field.Type) {
				group(field.Type, at)
				continue
			}
			with, without, differ := strings.Cut(field.Tag.Get("emu"), ", ")
			if with == "" {
				continue // It is no constant.
			}
			if differ && !pace {
				with = without
			}
			all = append(all, Constant{at, cmp.Or(except[at], Treatment(with))})
		}
	}
	group(reflect.TypeFor[Profile](), "")
	return all
}
