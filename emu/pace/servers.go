package pace

import (
	"context"
	"sync"
	"time"

	"github.com/flowtwin/flowtwin/emu/clock"
)

// servers are those of the store, which work on one operation each.
type servers struct {
	busy time.Duration // how long an operation keeps one
	mu   sync.Mutex
	free []time.Time // when each has done with all that it was given
}

// newServers returns nil if there are as many as are asked for.
func newServers(n int, busy time.Duration) *servers {
	if n == 0 || busy == 0 {
		return nil
	}
	return &servers{busy: busy, free: make([]time.Time, n)}
}

// begin waits for a server, first come, first served, and returns when the
// operation has begun.
func (s *servers) begin(ctx context.Context) time.Time {
	now := time.Now()
	if s == nil {
		return now
	}
	began := s.take(now)
	clock.Sleep(ctx, int64(time.Until(began)))
	return began
}

// take keeps the server busy that is free first, and returns from when on.
func (s *servers) take(now time.Time) time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	first := 0
	for i := range s.free {
		if s.free[i].Before(s.free[first]) {
			first = i
		}
	}
	began := now
	if s.free[first].After(now) {
		began = s.free[first]
	}
	s.free[first] = began.Add(s.busy)
	return began
}
