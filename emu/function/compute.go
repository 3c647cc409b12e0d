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

// Work is what functions do.
type Work struct {
	// Name is what [WorkOf] knows it by, in other processes too.
	Name string
	// Does says what that is, after "functions", for a manifest.
	Does string
	// Compute passes the time that they compute.
	Compute Compute
	// Bodies, if set, are what they really do, in place of that.
	Bodies Bodies
}

// WorkOf returns what goes by a name: sleep, spin, or real, which is what is
// given.
func WorkOf(name string, real Bodies) (Work, error) {
	switch name {
	case "sleep":
		return Work{Name: name, Does: "sleep", Compute: Sleep}, nil
	case "spin":
		return Work{Name: name, Does: "keep a processor busy", Compute: Spin}, nil
	case "real":
		return Work{Name: name, Does: "run real bodies", Compute: Sleep, Bodies: real}, nil
	}
	return Work{}, fmt.Errorf("functions cannot compute by %q: there are sleep, spin and real", name)
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
