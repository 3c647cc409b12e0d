package shape

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"
)

// echo is a server that sends back what it is sent.
func echo(t *testing.T) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				_, _ = io.Copy(conn, conn)
			}()
		}
	}()
	return l.Addr().String()
}

func relay(t *testing.T, l Link) *Relay {
	t.Helper()
	var d net.Dialer
	r, err := NewRelay("token", l.Dial(d.DialContext))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

// What goes through a relay passes its link: here, 400 kB there and back at 1 MB/s
// each way, which overlap.
func TestARelayPassesItsLink(t *testing.T) {
	r := relay(t, Link{Out: []*Bucket{NewBucket(1e6)}, In: []*Bucket{NewBucket(1e6)}})
	conn, err := Via(r.Address(), "token")(t.Context(), "tcp", echo(t))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	sent := bytes.Repeat([]byte("0123456789"), 40_000)
	began := time.Now()
	go func() { _, _ = conn.Write(sent) }()
	got := make([]byte, len(sent))
	if _, err := io.ReadFull(conn, got); err != nil || !bytes.Equal(got, sent) {
		t.Fatalf("what comes back is not what was sent: %v", err)
	}
	if took := time.Since(began); took < 390*time.Millisecond {
		t.Errorf("it took %v, 400 ms were to be expected", took)
	}
}

// Behind a gate that stays closed, a relay breaks the connection off.
func TestARelayStopsAtAGate(t *testing.T) {
	gate := NewGate(50 * time.Millisecond)
	r := relay(t, Link{Gates: []*Gate{gate}})
	conn, err := Via(r.Address(), "token")(t.Context(), "tcp", echo(t))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	gate.Set(false)
	if _, err := conn.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	_ = conn.SetReadDeadline(time.Now().Add(5 * time.Second))
	if n, err := conn.Read(make([]byte, 1)); n > 0 || err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("%d bytes came, %v", n, err)
	}
}

// A relay connects nobody who does not know its token, and leaves nothing.
func TestARelayServesNobodyElse(t *testing.T) {
	called := make(chan string, 10)
	r, err := NewRelay("token", func(_ context.Context, _, address string) (net.Conn, error) {
		called <- address
		return nil, errors.New("it is out of reach")
	})
	if err != nil {
		t.Fatal(err)
	}
	for what, text := range map[string]string{
		"another token": string(preface("guess", "127.0.0.1:1")), "too much": "\xff\xff\xff\xff", "http": "GET / HTTP/1.0\r\n\r\n", "no answer": string(preface("token", "127.0.0.1:1")),
	} {
		conn, err := net.Dial("tcp", r.Address())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		_, _ = io.WriteString(conn, text)
		_ = conn.SetReadDeadline(time.Now().Add(5 * time.Second))
		if n, err := conn.Read(make([]byte, 1)); n > 0 || errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%s: it hears %d bytes, %v", what, n, err)
		}
	}
	waits, err := net.Dial("tcp", r.Address()) // Who says nothing.
	if err != nil {
		t.Fatal(err)
	}
	defer waits.Close()
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	close(called)
	var all []string
	for address := range called {
		all = append(all, address)
	}
	if got := strings.Join(all, " "); got != "127.0.0.1:1" {
		t.Errorf("it has dialled %q", got)
	}
}

// Whatever a stranger says, reading it ends well, and a preface is read as it was
// written.
func FuzzPreface(f *testing.F) {
	f.Add(preface("token", "127.0.0.1:5984"))
	f.Add([]byte("GET / HTTP/1.0\r\n\r\n"))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		token, address, err := readPreface(bytes.NewReader(b))
		if err != nil {
			return
		}
		if again := preface(token, address); !bytes.HasPrefix(b, again) {
			t.Errorf("%q is read from %q", again, b)
		}
	})
}
