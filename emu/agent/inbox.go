package agent

import (
	"sync"
	"time"

	"github.com/flowtwin/flowtwin/engine"
)

// item is an event for the engine, or something to be done between two, which
// is told when it came.
type item struct {
	event engine.Event
	do    func(came time.Time)
	came  time.Time // zero: when it is pushed
}

// inbox is a queue without bounds, so that whoever reports something never
// waits for the engine: two agents that waited for each other would stand
// still for good.
type inbox struct {
	mu     sync.Mutex
	items  []item
	closed bool
	wake   chan struct{} // holds at most one
}

func newInbox() *inbox { return &inbox{wake: make(chan struct{}, 1)} }

// push adds an item, and reports whether anyone will look at it.
func (b *inbox) push(i item) bool {
	if i.came.IsZero() {
		i.came = time.Now()
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return false
	}
	b.items = append(b.items, i)
	select {
	case b.wake <- struct{}{}:
	default:
	}
	return true
}

// take returns all items in exchange for an empty slice, and false if the
// inbox is closed. It waits for the first.
func (b *inbox) take(empty []item) ([]item, bool) {
	for {
		b.mu.Lock()
		if b.closed {
			b.mu.Unlock()
			return nil, false
		}
		if len(b.items) > 0 {
			taken := b.items
			b.items = empty[:0]
			b.mu.Unlock()
			return taken, true
		}
		b.mu.Unlock()
		<-b.wake
	}
}

func (b *inbox) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed, b.items = true, nil
	select {
	case b.wake <- struct{}{}:
	default:
	}
}
