// Package shape limits the bandwidth of connections in user space, where no
// kernel can be asked to: the links of emulated nodes, and the cap of the
// storage node's services.
//
// A [Bucket] is one direction of a link. Connections that share it take turns
// chunk by chunk, so each gets an equal share, and none saves up what it does
// not use. A connection may pass several buckets; the slowest decides.
package shape

import (
	"context"
	"errors"
	"net"
	"sync"
	"time"
)

// Bucket lets bytes pass at a rate.
type Bucket struct {
	rate float64 // bytes per ns
	mu   sync.Mutex
	next time.Time // when all that was asked for so far has passed
}

// NewBucket returns a bucket of so many bytes per second.
func NewBucket(rate float64) *Bucket { return &Bucket{rate: rate / 1e9} }

// SetRate changes the rate, for what is asked for from now on.
func (b *Bucket) SetRate(rate float64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.rate = rate / 1e9
}

// reserve returns when n bytes that are ready at a given time have passed.
func (b *Bucket) reserve(ready time.Time, n int) time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.next.Before(ready) {
		b.next = ready
	}
	b.next = b.next.Add(time.Duration(float64(n) / b.rate))
	return b.next
}

// Link is what a connection passes, each way.
type Link struct {
	// Out limits what is written, In what is read. nil buckets are left out.
	Out, In []*Bucket
	// Gates hold bytes back both ways while they are closed.
	Gates []*Gate
}

// Gate is what a fault closes: while it is closed nothing passes, and whoever
// has waited for too long gives up, as if the other end were gone.
type Gate struct {
	patience time.Duration

	mu   sync.Mutex
	open chan struct{} // closed while the gate is open
}

// NewGate returns an open gate. It is waited for as long as patience.
func NewGate(patience time.Duration) *Gate {
	g := &Gate{patience: patience, open: make(chan struct{})}
	close(g.open)
	return g
}

// Set opens or closes the gate.
func (g *Gate) Set(open bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch is := g.isOpen(); {
	case open && !is:
		close(g.open)
	case !open && is:
		g.open = make(chan struct{})
	}
}

func (g *Gate) isOpen() bool {
	select {
	case <-g.open:
		return true
	default:
		return false
	}
}

// errOutOfReach is what those get who have waited in vain.
var errOutOfReach = errors.New("it is out of reach")

// wait waits until all gates are open.
func wait(ctx context.Context, gates []*Gate) error {
	for _, g := range gates {
		g.mu.Lock()
		open := g.open
		g.mu.Unlock()
		select {
		case <-open:
			continue
		default:
		}
		patience := time.NewTimer(g.patience)
		defer patience.Stop()
		select {
		case <-open:
		case <-patience.C:
			return errOutOfReach
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

const (
	// chunk is how much passes at a time, of which there are at least some in
	// each turn of the fastest links that are emulated.
	chunk = 16 << 10
	// slack is how much later than due a sleeper may wake: what it is late is
	// made good with its next chunk.
	slack = 4 * time.Millisecond
)

// Dial returns a function that makes connections which pass the link.
func (l Link) Dial(dial func(ctx context.Context, network, address string) (net.Conn, error)) func(ctx context.Context, network, address string) (net.Conn, error) {
	if len(l.Out) == 0 && len(l.In) == 0 && len(l.Gates) == 0 {
		return dial
	}
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		if err := wait(ctx, l.Gates); err != nil {
			return nil, err
		}
		c, err := dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return &conn{Conn: c, out: lane{buckets: l.Out}, in: lane{buckets: l.In}, gates: l.Gates}, nil
	}
}

// conn is a connection that passes a link.
type conn struct {
	net.Conn
	out, in lane
	gates   []*Gate
}

// lane is one direction of a connection. Nobody writes, or reads, at the same
// time as another, so it needs no lock.
type lane struct {
	buckets []*Bucket
	due     time.Time // of the last chunk
}

// pass waits until n bytes have passed.
func (l *lane) pass(n int) {
	now := time.Now()
	ready := now
	if !l.due.IsZero() && now.Sub(l.due) < slack { // It goes on where it was.
		ready = l.due
	}
	due := ready
	for _, b := range l.buckets {
		if t := b.reserve(ready, n); t.After(due) {
			due = t
		}
	}
	l.due = due
	time.Sleep(time.Until(due))
}

func (c *conn) Write(b []byte) (int, error) {
	if len(c.out.buckets) == 0 && len(c.gates) == 0 {
		return c.Conn.Write(b)
	}
	written := 0
	for {
		if err := c.wait(); err != nil {
			return written, err
		}
		part := b[written:min(len(b), written+chunk)]
		c.out.pass(len(part))
		n, err := c.Conn.Write(part)
		written += n
		if err != nil || written == len(b) {
			return written, err
		}
	}
}

func (c *conn) Read(b []byte) (int, error) {
	if len(c.in.buckets) == 0 && len(c.gates) == 0 {
		return c.Conn.Read(b)
	}
	n, err := c.Conn.Read(b[:min(len(b), chunk)])
	if n > 0 {
		c.in.pass(n)
	}
	if late := c.wait(); late != nil {
		return 0, late
	}
	return n, err
}

// wait waits at the gates. A connection that has waited in vain is of no more
// use.
func (c *conn) wait() error {
	err := wait(context.Background(), c.gates)
	if err != nil {
		c.Conn.Close()
	}
	return err
}
