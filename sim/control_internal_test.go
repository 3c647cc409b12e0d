package sim

import (
	"testing"

	"github.com/flowtwin/flowtwin/results/record"
)

// What overlaps counts once: only what had ended when the next began was waited
// for.
func TestDivideFollowsTheChainBackwards(t *testing.T) {
	all := []controlRecord{
		{kind: controlMessage, from: 5, to: 9},                // before the stretch
		{kind: controlSync, from: 12, to: 20},                 // first
		{kind: controlMessage, from: 14, to: 24},              // overlaps the next
		{kind: controlMessage, from: 22, to: 30},              // second
		{kind: controlSync, from: 25, to: 38, function: 1},    // of no concern
		{kind: controlProbe, from: 33, to: 40},                // third
		{kind: controlMessage, from: 39, to: 41, function: 0}, // after the stretch
	}
	got := divide(all, 10, 40, func(c *controlRecord) bool { return c.function == 0 })
	if want := (record.ControlTime{Message: 15, Sync: 8}); got != want {
		t.Errorf("divided into %+v, want %+v", got, want)
	}
}
