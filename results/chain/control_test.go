package chain

import (
	"testing"

	"github.com/flowtwin/flowtwin/results/record"
)

// What overlaps counts once: only what had ended when the next began was waited
// for.
func TestDivideFollowsTheChainBackwards(t *testing.T) {
	all := []Wait{
		{Kind: Message, From: 5, To: 9},                // before the stretch
		{Kind: Sync, From: 12, To: 20},                 // first
		{Kind: Message, From: 14, To: 24},              // overlaps the next
		{Kind: Message, From: 22, To: 30},              // second
		{Kind: Sync, From: 25, To: 38, Function: 1},    // of no concern
		{Kind: Probe, From: 33, To: 40},                // third
		{Kind: Message, From: 39, To: 41, Function: 0}, // after the stretch
	}
	got := divide(all, 10, 40, func(w *Wait) bool { return w.Function == 0 })
	if want := (record.ControlTime{Message: 15, Sync: 8}); got != want {
		t.Errorf("divided into %+v, want %+v", got, want)
	}
}
