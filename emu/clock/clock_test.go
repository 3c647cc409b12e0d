package clock

import (
	"context"
	"slices"
	"testing"
	"time"
)

// Half of the sleeps are late by little; the others may meet a processor that
// is busy.
func TestSleepIsPunctual(t *testing.T) {
	for _, wait := range []time.Duration{200 * time.Microsecond, 3300 * time.Microsecond} {
		var late []time.Duration
		for range 50 {
			began := time.Now()
			if !Sleep(context.Background(), int64(wait)) {
				t.Fatal("nobody has ended it")
			}
			late = append(late, time.Since(began)-wait)
		}
		slices.Sort(late)
		if late[0] < 0 || late[25] > 400*time.Microsecond {
			t.Errorf("waiting for %v is late by %v to %v, in the middle %v", wait, late[0], late[49], late[25])
		}
	}
}

func TestSleepEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Millisecond)
	defer cancel()
	began := time.Now()
	if Sleep(ctx, int64(time.Minute)) || time.Since(began) > 10*time.Second {
		t.Errorf("it went on for %v", time.Since(began))
	}
}

func TestRestartMakesNowTheStart(t *testing.T) {
	c := New()
	time.Sleep(10 * time.Millisecond)
	before := c.Now()
	c.Restart()
	if after := c.Now(); before < int64(10*time.Millisecond) || after > int64(5*time.Millisecond) {
		t.Errorf("it was %d ns, then %d", before, after)
	}
}
