package shape

import (
	"context"
	"io"
	"net"
	"slices"
	"sync"
	"testing"
	"time"
)

// sink takes what is written to it; source writes without end.
func serve(t *testing.T, handle func(net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go handle(c)
		}
	}()
	return l.Addr().String()
}

func sink(t *testing.T) string {
	return serve(t, func(c net.Conn) { _, _ = io.Copy(io.Discard, c); c.Close() })
}

func source(t *testing.T) string {
	return serve(t, func(c net.Conn) {
		for b := make([]byte, 64<<10); ; {
			if _, err := c.Write(b); err != nil {
				return
			}
		}
	})
}

func dial(t *testing.T, l Link, address string) net.Conn {
	t.Helper()
	var d net.Dialer
	c, err := l.Dial(d.DialContext)(context.Background(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// keeps fails if a try, whose parts took the times that it returns, was over
// sooner than wanted, less a fraction: a limit is kept. That each part took what
// is wanted, within that fraction, is asked of one try in ten, as others may use
// the machine.
func keeps(t *testing.T, what string, want time.Duration, fraction float64, try func() []time.Duration) {
	t.Helper()
	low, high := time.Duration((1-fraction)*float64(want)), time.Duration((1+fraction)*float64(want))
	var took []time.Duration
	for range 10 {
		took = try()
		if last := slices.Max(took); last < low {
			t.Errorf("%s took %v, want no less than %v", what, last, low)
			return
		}
		if slices.Min(took) >= low && slices.Max(took) <= high {
			return
		}
	}
	t.Errorf("%s took %v, want %v to %v", what, took, low, high)
}

// timed returns how long something takes.
func timed(do func()) []time.Duration {
	began := time.Now()
	do()
	return []time.Duration{time.Since(began)}
}

func TestRateIsKeptEachWay(t *testing.T) {
	const rate, size = 50e6, 5 << 20
	for name, test := range map[string]func(){
		"writing": func() {
			_, _ = dial(t, Link{Out: []*Bucket{NewBucket(rate)}}, sink(t)).Write(make([]byte, size))
		},
		"reading": func() {
			_, _ = io.CopyN(io.Discard, dial(t, Link{In: []*Bucket{NewBucket(rate)}}, source(t)), size)
		},
		"two buckets, of which one is slower": func() {
			_, _ = dial(t, Link{Out: []*Bucket{NewBucket(4 * rate), NewBucket(rate)}}, sink(t)).Write(make([]byte, size))
		},
	} {
		keeps(t, name, time.Duration(size/rate*1e9), 0.1, func() []time.Duration { return timed(test) })
	}
}

// Nobody saves up what was not used: the first bytes after a pause are no
// faster.
func TestAPauseGivesNoCredit(t *testing.T) {
	const rate, size = 10e6, 100_000
	c := dial(t, Link{Out: []*Bucket{NewBucket(rate)}}, sink(t))
	for range 3 {
		keeps(t, "a small write", 10*time.Millisecond, 0.4, func() []time.Duration {
			time.Sleep(20 * time.Millisecond)
			return timed(func() {
				if _, err := c.Write(make([]byte, size)); err != nil {
					t.Fatal(err)
				}
			})
		})
	}
}

func TestConnectionsShareEqually(t *testing.T) {
	const rate, size = 40e6, 2 << 20
	keeps(t, "each of four", time.Duration(4*size/rate*1e9), 0.15, func() []time.Duration {
		shared := NewBucket(rate)
		var all sync.WaitGroup
		took := make([]time.Duration, 4)
		began := time.Now()
		for i := range took {
			c := dial(t, Link{Out: []*Bucket{shared}}, sink(t))
			all.Go(func() {
				_, _ = c.Write(make([]byte, size))
				took[i] = time.Since(began)
			})
		}
		all.Wait()
		return took
	})
}

func TestNoBucketsAreNoLimit(t *testing.T) {
	c := dial(t, Link{}, sink(t))
	if _, shaped := c.(*conn); shaped {
		t.Error("the connection passes a link that has no limit")
	}
}
