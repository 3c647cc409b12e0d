package record_test

import (
	"testing"

	"github.com/flowtwin/flowtwin/engine"
	"github.com/flowtwin/flowtwin/results/record"
)

const second = engine.Time(1e9)

// sent is an invocation that was sent in the warm-up or not, in seconds.
func sent(at, ended engine.Time, measured bool, o engine.Outcome) *record.Invocation {
	return &record.Invocation{Intended: at * second, Ended: ended * second, Measured: measured, Outcome: o, ColdStarts: 1}
}

func TestTrialCountsWhatIsMeasured(t *testing.T) {
	tally := record.Tally{To: 100 * second}
	for _, i := range []*record.Invocation{
		sent(0, 1, false, engine.Failed), sent(1, 2, false, engine.Completed),
		sent(10, 11, true, engine.Completed), sent(10, 99, true, engine.Completed), sent(10, 400, true, engine.Completed),
		sent(11, 12, true, engine.Failed), sent(12, 72, true, engine.TimedOut), sent(13, 73, true, engine.TimedOut),
	} {
		tally.Add(i)
	}
	tally.Close()
	got := tally.Trial
	got.Throughput = 0
	if want := (record.Trial{Sent: 8, Measured: 6, Completed: 3, Failed: 1, TimedOut: 2, ColdStarts: 6}); got != want {
		t.Errorf("counted %+v, want %+v", got, want)
	}
}

func TestThroughput(t *testing.T) {
	for _, test := range []struct {
		name     string
		from, to engine.Time
		sent     []*record.Invocation
		want     float64 // per minute
	}{
		{"one a second for ten seconds", 0, 10, []*record.Invocation{
			sent(0, 1, true, 0), sent(1, 2, true, 0), sent(2, 3, true, 0), sent(3, 4, true, 0), sent(4, 5, true, 0),
			sent(5, 6, true, 0), sent(6, 7, true, 0), sent(7, 8, true, 0), sent(8, 9, true, 0), sent(8, 9, true, 0),
		}, 60},
		{"what ends at the end of the load or later is not of it", 0, 10, []*record.Invocation{
			sent(0, 9, true, 0), sent(1, 10, true, 0), sent(2, 20, true, 0),
		}, 6},
		{"failures and timeouts are not completed", 0, 10, []*record.Invocation{
			sent(0, 1, true, 0), sent(1, 2, true, engine.Failed), sent(1, 2, true, engine.TimedOut),
		}, 6},
		{"the warm-up is left out, of the time and of what was done", 10, 30, []*record.Invocation{
			sent(1, 2, false, 0), sent(2, 9, false, 0), sent(12, 13, true, 0), sent(14, 15, true, 0),
		}, 6},
		// A system that is far behind completes what came in the warm-up first.
		{"a backlog counts when it is worked off", 10, 30, []*record.Invocation{
			sent(1, 10, false, 0), sent(2, 15, false, 0), sent(3, 16, false, engine.Failed), sent(12, 29, true, 0), sent(14, 40, true, 0),
		}, 9},
		{"a warm-up by count ends with the first that is measured", -1, 30, []*record.Invocation{
			sent(0, 5, false, 0), sent(2, 12, false, 0), sent(10, 14, true, 0), sent(12, 40, true, 0),
		}, 6},
		{"a load without an end lasts until the last end", 0, 0, []*record.Invocation{
			sent(0, 5, true, 0), sent(0, 20, true, 0), sent(0, 40, true, 0),
		}, 4.5},
		{"a load without an end, with a warm-up by count", -1, 0, []*record.Invocation{
			sent(0, 5, false, 0), sent(20, 30, true, 0), sent(20, 40, true, 0),
		}, 6},
		{"nothing was sent", 0, 0, nil, 0},
		{"nothing was sent while the load lasted", 0, 10, nil, 0},
		{"nothing was measured", -1, 0, []*record.Invocation{sent(0, 5, false, 0)}, 0},
		{"nothing completed", 0, 10, []*record.Invocation{sent(0, 5, true, engine.Failed)}, 0},
		{"the load ends before the warm-up does", 10, 5, []*record.Invocation{sent(0, 1, false, 0)}, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			tally := record.Tally{From: test.from * second, To: test.to * second}
			for _, i := range test.sent {
				tally.Add(i)
			}
			tally.Close()
			if tally.Throughput != test.want {
				t.Errorf("%v per minute, want %v", tally.Throughput, test.want)
			}
		})
	}
}
