// Package probe measures what a path through the network really lets through,
// before a run relies on it.
//
// A client opens a few connections to a [Serve]r, asks on each for one
// direction, and both keep them as full as they can for a moment. Bytes are
// counted where they arrive, after a warm-up: what lies in buffers is not
// counted as carried.
//
// The conversation on a connection: the client sends a request (see request);
// then one of the two sends bytes of no meaning until the other has seen enough.
// If that is the server, it answers with how many bytes it counted.
package probe

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"
)

// Direction is a way through a path, as the client sees it.
type Direction uint8

const (
	// Out is from the client to the server, In the way back.
	Out Direction = iota
	In
)

func (d Direction) String() string {
	if d == Out {
		return "out"
	}
	return "in"
}

const (
	// connections fill a path that one alone may not.
	connections = 4
	warmUp      = 300 * time.Millisecond
	// Longest is how long may be measured.
	Longest = 10 * time.Second
	// grace is how much longer than agreed a connection may last.
	grace = 2 * time.Second
	chunk = 64 << 10
	// buffer is what a receiver that is late may find waiting. It came before it
	// is counted, so it is to be little; but enough for a path of 1 ms.
	buffer = 128 << 10
	// The server serves so many connections at a time, and sends so much on one.
	atOnce = 8 * connections
	most   = 16 << 30
)

// request is the first thing on a connection: the magic, the direction, and how
// long is measured after the warm-up, in ns.
type request struct {
	direction Direction
	duration  time.Duration
}

const magic = "ftprobe1"

const (
	requestSize = len(magic) + 1 + 8
	answerSize  = 8
)

func (r request) append(b []byte) []byte {
	b = append(append(b, magic...), byte(r.direction))
	return binary.BigEndian.AppendUint64(b, uint64(r.duration))
}

func parse(b []byte) (request, error) {
	if len(b) != requestSize || string(b[:len(magic)]) != magic {
		return request{}, errors.New("not a request to measure")
	}
	r := request{Direction(b[len(magic)]), time.Duration(binary.BigEndian.Uint64(b[len(magic)+1:]))}
	return r, r.check()
}

func (r request) check() error {
	if r.direction > In {
		return fmt.Errorf("there is no direction %d", r.direction)
	}
	if r.duration <= 0 || r.duration > Longest {
		return fmt.Errorf("a path cannot be measured for %s: choose more than 0 and up to %s", r.duration, Longest)
	}
	return nil
}

// Serve answers clients until the context ends, and then closes the listener
// and what is open. It returns nil unless the listener fails before. To measure a
// cap that covers certain ports it has to listen on one of them.
func Serve(ctx context.Context, listener net.Listener) error {
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(ctx, func() { listener.Close() })
	defer stop()
	var running sync.WaitGroup
	defer running.Wait()
	defer cancel()
	places := make(chan struct{}, atOnce)
	for {
		c, err := listener.Accept()
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return fmt.Errorf("no more probes are answered: %w", err)
		}
		select {
		case places <- struct{}{}:
			running.Go(func() {
				answer(ctx, c)
				<-places
			})
		default:
			c.Close()
		}
	}
}

// answer serves one connection. What is wrong with it is the client's concern.
func answer(ctx context.Context, c net.Conn) {
	defer c.Close()
	defer context.AfterFunc(ctx, func() { c.Close() })()
	_ = c.SetDeadline(time.Now().Add(grace))
	head := make([]byte, requestSize)
	if _, err := io.ReadFull(c, head); err != nil {
		return
	}
	r, err := parse(head)
	if err != nil {
		return
	}
	_ = c.SetDeadline(time.Now().Add(warmUp + r.duration + grace))
	if r.direction == In {
		send(c)
		return
	}
	got, err := receive(c, r.duration)
	if err != nil {
		return
	}
	_, _ = c.Write(binary.BigEndian.AppendUint64(nil, uint64(got)))
	// The client is still sending. If the connection were closed over what it
	// sent, the answer might be lost.
	_, _ = io.Copy(io.Discard, c)
}

// send sends until the other end or the deadline stops it.
func send(c net.Conn) {
	b := make([]byte, chunk)
	for range most / chunk {
		if _, err := c.Write(b); err != nil {
			return
		}
	}
}

// receive counts what arrives after the warm-up, for so long.
func receive(c net.Conn, duration time.Duration) (int64, error) {
	if buffered, ok := c.(interface{ SetReadBuffer(int) error }); ok {
		if err := buffered.SetReadBuffer(buffer); err != nil {
			return 0, err
		}
	}
	b := make([]byte, chunk)
	from := time.Now().Add(warmUp)
	until := from.Add(duration)
	var bytes int64
	for {
		n, err := c.Read(b)
		if err != nil {
			return 0, err
		}
		switch now := time.Now(); {
		case now.Before(from):
		case now.Before(until):
			bytes += int64(n)
		default:
			// It came since the last one, in part before the end. The part is not
			// known, but was as large when the count began.
			return bytes, nil
		}
	}
}

// Measure returns how many bytes of payload per second a path lets through one
// way. It fills the path for the warm-up of 0.3 s and then for the given time,
// at most [Longest]. dial connects with a [Serve]r.
func Measure(ctx context.Context, dial func(ctx context.Context) (net.Conn, error), direction Direction, duration time.Duration) (float64, error) {
	r := request{direction, duration}
	if err := r.check(); err != nil {
		return 0, err
	}
	ctx, cancel := context.WithTimeout(ctx, warmUp+duration+2*grace)
	defer cancel()
	var all []net.Conn
	defer func() {
		for _, c := range all {
			c.Close()
		}
	}()
	for range connections {
		c, err := dial(ctx)
		if err != nil {
			return 0, fmt.Errorf("the other end of the path cannot be reached: %w", err)
		}
		all = append(all, c)
		defer context.AfterFunc(ctx, func() { c.Close() })()
	}
	counts, errs := make([]int64, connections), make([]error, connections)
	var running sync.WaitGroup
	for i, c := range all {
		running.Go(func() {
			if counts[i], errs[i] = measure(c, r); errs[i] != nil {
				cancel() // The others would measure another path.
			}
		})
	}
	running.Wait()
	if err := errors.Join(errs...); err != nil {
		return 0, fmt.Errorf("the path could not be kept full: %w", err)
	}
	var total int64
	for _, n := range counts {
		total += n
	}
	return float64(total) / duration.Seconds(), nil
}

// measure is one connection's part.
func measure(c net.Conn, r request) (int64, error) {
	if _, err := c.Write(r.append(nil)); err != nil {
		return 0, err
	}
	if r.direction == In {
		return receive(c, r.duration)
	}
	var sending sync.WaitGroup
	defer sending.Wait()
	defer c.Close() // This ends sending.
	if t, ok := c.(interface{ SetLinger(int) error }); ok {
		// And what waits to be sent is not to disturb what comes next.
		if err := t.SetLinger(0); err != nil {
			return 0, err
		}
	}
	sending.Go(func() { send(c) })
	b := make([]byte, answerSize)
	if _, err := io.ReadFull(c, b); err != nil {
		return 0, fmt.Errorf("there is no answer: %w", err)
	}
	got := int64(binary.BigEndian.Uint64(b))
	if got < 0 || got > most {
		return 0, errors.New("the answer makes no sense: is that a probe's server?")
	}
	return got, nil
}
