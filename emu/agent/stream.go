package agent

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/flowtwin/flowtwin/emu/function"
	"github.com/flowtwin/flowtwin/engine"
	"github.com/flowtwin/flowtwin/engine/data"
)

// bodies are what announcements carry besides what the engine needs to know:
// payloads that travel inline, and where the broker has what is streamed. The
// engine knows each by a handle.
type bodies struct {
	mu      sync.Mutex
	last    uint64
	bodies  map[uint64][]byte
	handles map[engine.Invocation][]uint64
}

func newBodies() *bodies {
	return &bodies{bodies: map[uint64][]byte{}, handles: map[engine.Invocation][]uint64{}}
}

func (b *bodies) keep(i engine.Invocation, body []byte) (handle uint64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.last++
	b.bodies[b.last] = body
	b.handles[i] = append(b.handles[i], b.last)
	return b.last
}

func (b *bodies) get(handle uint64) []byte {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.bodies[handle]
}

// release forgets those of an attempt.
func (b *bodies) release(i engine.Invocation) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, h := range b.handles[i] {
		delete(b.bodies, h)
	}
	delete(b.handles, i)
}

// keyOf names a datum that an event, an effect or a message is about.
func keyOf(s *engine.Subject, output int64) *function.Key {
	return &function.Key{Invocation: s.Invocation, Function: s.Function, Output: int32(output), Path: s.Path}
}

// Announce takes a container's word that an output can be announced.
func (a *Agent) Announce(n function.Announcement) {
	e := engine.Event{Kind: engine.EventPosted, Number: int64(n.Key.Output)}
	e.Subject = engine.Subject{Invocation: n.Key.Invocation, Function: n.Key.Function, Path: n.Key.Path}
	e.Way, e.Handle = n.Way, a.take(&n.Key, n.Way, n.Body)
	if a.notices != nil {
		a.notices.push(item{event: e, came: time.Now().Add(time.Duration(a.Pace.Notice))})
		return
	}
	a.Tell(&e)
}

// Lost takes a container's word that it cannot send an output.
func (a *Agent) Lost(i engine.Invocation, err error) {
	if a.ctx.Err() != nil {
		return
	}
	a.Observer.Failed(fmt.Errorf("an output cannot be sent to the broker: %w", err))
	e := engine.Event{Kind: engine.EventDataLost}
	e.Invocation = i
	a.Tell(&e)
}

// take keeps what an announcement carries, and returns its handle.
func (a *Agent) take(k *function.Key, way data.Target, body []byte) uint64 {
	if way&data.Inline != 0 && a.Data != nil {
		a.Data.Keep(k, body)
	}
	if way&(data.Inline|data.Pipe) == 0 {
		return 0
	}
	return a.bodies.keep(k.Invocation, body)
}

// fetching is what ends when an attempt is released: it may be waiting for a
// sender that is no more.
type fetching struct {
	ctx    context.Context
	cancel context.CancelFunc
}

// prefetch brings a datum to this node.
func (a *Agent) prefetch(e *engine.Effect) {
	f, ok := a.fetching[e.Invocation]
	if !ok {
		f.ctx, f.cancel = context.WithCancel(a.ctx)
		a.fetching[e.Invocation] = f
	}
	k, where := keyOf(&e.Subject, e.Number), a.bodies.get(e.Handle)
	arrived := engine.Event{Kind: engine.EventArrived, Number: e.Number, Message: engine.Message{Subject: e.Subject}}
	a.work.Go(func() {
		n, err := a.Data.Prefetch(f.ctx, k, where)
		if err != nil {
			if f.ctx.Err() != nil {
				return
			}
			a.lostHere(&arrived, err)
			return
		}
		a.Observer.Carried(arrived.Invocation, function.Bytes{RemoteRead: n})
		a.Tell(&arrived)
	})
}

// lostHere gives up an attempt, data of which cannot be had.
func (a *Agent) lostHere(e *engine.Event, err error) {
	if a.ctx.Err() != nil {
		return
	}
	a.Observer.Failed(fmt.Errorf("an output cannot be fetched from the broker: %w", err))
	lost := engine.Event{Kind: engine.EventDataLost}
	lost.Invocation = e.Invocation
	a.Tell(&lost)
}

// dropOrSpill does what the engine asks for about a datum in memory.
func (a *Agent) dropOrSpill(e *engine.Effect) {
	k, do := keyOf(&e.Subject, e.Number), a.Data.Drop
	if e.Kind == engine.EffectSpill {
		do = a.Data.Spill
	}
	a.releasing.Add(1)
	a.work.Go(func() {
		defer a.releasing.Add(-1)
		if err := do(a.ctx, k); err != nil && a.ctx.Err() == nil && context.Cause(a.ctx) == nil {
			a.Observer.Failed(fmt.Errorf("a datum in memory cannot be moved: %w", err))
		}
	})
}
