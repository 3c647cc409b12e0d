package function

import (
	"context"
	"sync"

	"github.com/flowtwin/flowtwin/engine"
	"github.com/flowtwin/flowtwin/engine/data"
)

// Announcement is a container's word that an output can be told to those who
// read it.
type Announcement struct {
	Key Key
	// Way is how it reaches them.
	Way data.Target
	// Body is the payload of what travels inline, or says where the broker has
	// what is streamed; nil for others.
	Body []byte
}

// Post is when a task posted an output, for the records.
type Post struct {
	Key Key
	Way data.Target
	At  engine.Time
	// Put is what the task had spent on putting by then.
	Put engine.Time
}

// Sender is a container's way to the broker.
type Sender interface {
	// Send sends a payload in chunks. It calls announce once, with what a
	// reader needs to find it, as soon as the broker has the first chunk, and
	// returns when it has the last.
	Send(ctx context.Context, k *Key, payload []byte, announce func(where []byte)) error
}

// Unit is the data logic unit of a container (DataFlower, ASPLOS'24): it sends
// what functions hand to it while they go on. It outlives its container until
// it has sent all.
type Unit struct {
	sender   Sender
	announce func(Announcement)
	failed   func(engine.Invocation, error)
	inOrder  bool

	mu      sync.Mutex
	queue   []handed
	sending bool
	work    sync.WaitGroup
	ctx     context.Context
}

type handed struct {
	key     Key
	payload []byte
}

// NewUnit returns a unit that announces what it sends, and says of which
// attempts it could not send something. In order, it sends one payload after
// the other, else all at once. It gives up when ctx ends.
func NewUnit(ctx context.Context, s Sender, inOrder bool, announce func(Announcement), failed func(engine.Invocation, error)) *Unit {
	return &Unit{ctx: ctx, sender: s, inOrder: inOrder, announce: announce, failed: failed}
}

// Hand gives the unit a payload, which must not be changed any more.
func (u *Unit) Hand(k Key, payload []byte) {
	h := handed{k, payload}
	if !u.inOrder {
		u.work.Go(func() { u.send(&h) })
		return
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.queue = append(u.queue, h)
	if !u.sending {
		u.sending = true
		u.work.Go(u.drain)
	}
}

// Wait waits until all has been sent, or the unit has given up.
func (u *Unit) Wait() { u.work.Wait() }

func (u *Unit) drain() {
	for {
		u.mu.Lock()
		if len(u.queue) == 0 {
			u.sending = false
			u.mu.Unlock()
			return
		}
		h := u.queue[0]
		u.queue = u.queue[1:]
		u.mu.Unlock()
		u.send(&h)
	}
}

func (u *Unit) send(h *handed) {
	err := u.ctx.Err()
	if err == nil {
		err = u.sender.Send(u.ctx, &h.key, h.payload, func(where []byte) {
			u.announce(Announcement{Key: h.key, Way: data.Pipe, Body: where})
		})
	}
	if err != nil {
		u.failed(h.key.Invocation, err)
	}
}
