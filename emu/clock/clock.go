// Package clock tells the time of an emulated run and waits in it.
package clock

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/flowtwin/flowtwin/engine"
)

// Clock tells the time since the start of a run.
type Clock struct {
	base   time.Time
	offset atomic.Int64
	// machine is what the machine's clock said at base.
	machine int64
}

// New returns a clock whose start is now.
func New() *Clock {
	machine := machineTime()
	return &Clock{base: time.Now(), machine: machine}
}

// Restart makes this moment the start.
func (c *Clock) Restart() { c.offset.Store(int64(time.Since(c.base))) }

// Start is when the run has started, by a clock that all processes of a
// machine share, containers or not.
func (c *Clock) Start() int64 { return c.machine + c.offset.Load() }

// StartAt makes the clock one with that of another process of the machine,
// whose Start is given.
func (c *Clock) StartAt(start int64) { c.offset.Store(start - c.machine) }

// Now is the time since the start.
func (c *Clock) Now() engine.Time { return int64(time.Since(c.base)) - c.offset.Load() }

// Sleep waits for a time, or until ctx ends, and reports whether ctx has
// lasted. It wakes up a tenth of a millisecond late at most, if a processor is
// free: Go's own timers are late by up to a whole one, so for the last stretch
// the operating system is asked.
func Sleep(ctx context.Context, wait engine.Time) bool {
	const last = 1500 * time.Microsecond
	until := time.Now().Add(time.Duration(wait))
	if early := time.Duration(wait) - last; early > 0 {
		timer := time.NewTimer(early)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
			return false
		}
	}
	for left := time.Until(until); left > 0 && ctx.Err() == nil; left = time.Until(until) {
		nap(left)
	}
	return ctx.Err() == nil
}
