package probe

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/flowtwin/flowtwin/emu/shape"
)

// serve returns how to connect with a server, and stops it with the test.
func serve(t *testing.T) (dial func(context.Context) (net.Conn, error), stop func() error) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- Serve(ctx, l) }()
	t.Cleanup(cancel)
	return func(ctx context.Context) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, "tcp", l.Addr().String())
		}, func() error {
			cancel()
			select {
			case err := <-done:
				return err
			case <-time.After(5 * time.Second):
				return errors.New("still serving")
			}
		}
}

// The limit is kept in user space, by the bytes of payload. A measurement may be
// disturbed by others on the machine, so one of ten is to be near.
func TestALimitIsMeasured(t *testing.T) {
	const rate = 20e6
	dial, _ := serve(t)
	for _, direction := range []Direction{Out, In} {
		var got float64
		for range 10 {
			limit := []*shape.Bucket{shape.NewBucket(rate)}
			shaped := shape.Link{Out: limit, In: limit}.Dial(func(ctx context.Context, _, _ string) (net.Conn, error) { return dial(ctx) })
			var err error
			got, err = Measure(context.Background(), func(ctx context.Context) (net.Conn, error) { return shaped(ctx, "", "") }, direction, 300*time.Millisecond)
			if err != nil {
				t.Fatal(err)
			}
			if got > 0.97*rate && got < 1.03*rate {
				break
			}
			t.Logf("measured %.0f B/s %s", got, direction)
		}
		if got < 0.97*rate || got > 1.03*rate {
			t.Errorf("%.0f B/s %s, want about %.0f", got, direction, rate)
		}
	}
}

func TestWhatCannotBeMeasuredSaysWhy(t *testing.T) {
	dial, _ := serve(t)
	gone := func(context.Context) (net.Conn, error) { return nil, errors.New("no route") }
	closed := func(context.Context) (net.Conn, error) {
		a, b := net.Pipe()
		b.Close()
		return a, nil
	}
	wrong := func(context.Context) (net.Conn, error) {
		a, b := net.Pipe()
		go func() { _, _ = io.Copy(io.Discard, b) }()
		go func() { _, _ = b.Write([]byte("\xffTTP/1.1 200 OK")) }()
		return a, nil
	}
	for want, measure := range map[string]func() (float64, error){
		"choose more than 0": func() (float64, error) { return Measure(context.Background(), dial, In, 0) },
		"up to 10s":          func() (float64, error) { return Measure(context.Background(), dial, In, time.Minute) },
		"no direction 2":     func() (float64, error) { return Measure(context.Background(), dial, 2, time.Second) },
		"no route":           func() (float64, error) { return Measure(context.Background(), gone, In, time.Second) },
		"kept full":          func() (float64, error) { return Measure(context.Background(), closed, In, time.Second) },
		"makes no sense":     func() (float64, error) { return Measure(context.Background(), wrong, Out, time.Second) },
		"use of closed": func() (float64, error) {
			ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
			defer cancel()
			return Measure(ctx, dial, Out, time.Second)
		},
	} {
		if got, err := measure(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %g, %v, want an error that says %q", got, err, want)
		}
	}
}

// What is open ends with the context, whether it says anything or not.
func TestTheServerServesWhileWanted(t *testing.T) {
	dial, stop := serve(t)
	silent, err := dial(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	busy, err := dial(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	if _, err := busy.Write(request{In, Longest}.append(nil)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(busy, make([]byte, 1<<20)); err != nil {
		t.Fatal(err)
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
	if c, err := dial(context.Background()); err == nil {
		c.Close()
		t.Error("the port is still open")
	}
}

// More connections than the server serves at a time are closed.
func TestTheServerServesAFewAtATime(t *testing.T) {
	dial, _ := serve(t)
	for i := range atOnce + 1 {
		c, err := dial(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if i < atOnce {
			continue
		}
		_ = c.SetReadDeadline(time.Now().Add(grace / 2)) // Sooner than the silent are closed.
		if _, err := c.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
			t.Errorf("connection %d: %v, want it closed", i+1, err)
		}
	}
}

// Whatever a stranger sends, he gets nothing for what is no request, and the
// server ends.
func FuzzStranger(f *testing.F) {
	f.Add([]byte("GET / HTTP/1.1\r\nHost: probe\r\n\r\n"))
	f.Add([]byte(magic))
	f.Add(request{Out, time.Nanosecond}.append(nil))
	f.Add(request{2, time.Second}.append(nil))
	f.Add(request{In, Longest + 1}.append(nil))
	f.Add(append(request{Out, -1}.append(nil), 1, 2, 3))
	f.Fuzz(func(t *testing.T, b []byte) {
		if r, err := parse(b); err == nil {
			if again := r.append(nil); !bytes.Equal(again, b) || r.check() != nil {
				t.Fatalf("%x is read as %+v", b, r)
			}
			return // What is a request is served as one, for as long as it says.
		}
		ours, theirs := net.Pipe()
		done := make(chan struct{})
		go func() {
			answer(context.Background(), theirs)
			close(done)
		}()
		_ = ours.SetDeadline(time.Now().Add(time.Second))
		_, _ = ours.Write(b)
		if len(b) < requestSize {
			ours.Close() // Else the server waits for more, as long as the grace.
		}
		if len(b) >= requestSize {
			if _, err := parse(b[:requestSize]); err == nil {
				ours.Close()
			} else if got, _ := io.ReadAll(ours); len(got) > 0 {
				t.Errorf("%x is answered by %x", b, got)
			}
		}
		<-done
	})
}
