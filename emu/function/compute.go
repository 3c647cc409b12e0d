package function

import (
	"context"
	"fmt"
	"time"

	"github.com/flowtwin/flowtwin/emu/clock"
	"github.com/flowtwin/flowtwin/engine"
)

// Compute lets time pass as a function computes. It returns early if ctx ends.
type Compute func(ctx context.Context, work engine.Time)

// ComputeOf returns what goes by a name: sleep or spin.
func ComputeOf(name string) (Compute, error) {
	switch name {
	case "sleep":
		return Sleep, nil
	case "spin":
		return Spin, nil
	}
	return nil, fmt.Errorf("functions cannot compute by %q: there are sleep and spin", name)
}

// Sleep computes by waiting.
func Sleep(ctx context.Context, work engine.Time) { clock.Sleep(ctx, work) }

// Spin computes by keeping a processor busy for the time that the work takes
// on one of its own.
func Spin(ctx context.Context, work engine.Time) {
	for until := time.Now().Add(time.Duration(work)); time.Now().Before(until) && ctx.Err() == nil; {
		for x := uint64(1); x < 1<<12; {
			x += x&1 + 1
		}
	}
}
