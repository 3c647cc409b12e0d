package records

import (
	"sync"

	"github.com/flowtwin/flowtwin/emu/agent"
)

// Tap returns an observer that tells returned of each task that has run, one
// at a time, and then o. Without returned it is o itself.
func Tap(o agent.Observer, returned func(*agent.Report)) agent.Observer {
	if returned == nil {
		return o
	}
	return &tap{Observer: o, returned: returned}
}

type tap struct {
	agent.Observer
	mu       sync.Mutex
	returned func(*agent.Report)
}

// Ended implements agent.Observer.
func (t *tap) Ended(r *agent.Report) {
	t.mu.Lock()
	t.returned(r)
	t.mu.Unlock()
	t.Observer.Ended(r)
}
