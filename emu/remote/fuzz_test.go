package remote

import (
	"bytes"
	"encoding/gob"
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"github.com/flowtwin/flowtwin/emu/line"
	"github.com/flowtwin/flowtwin/engine"
	"github.com/flowtwin/flowtwin/scenarios"
)

// recorded is a connection that bytes come from, and that takes what is written.
type recorded struct {
	net.Conn
	from io.Reader
}

func (r *recorded) Read(b []byte) (int, error)      { return r.from.Read(b) }
func (r *recorded) Write(b []byte) (int, error)     { return len(b), nil }
func (r *recorded) Close() error                    { return nil }
func (r *recorded) SetReadDeadline(time.Time) error { return nil }

// form is that of messages, one after the other.
func form(t testing.TB, messages ...any) []byte {
	t.Helper()
	var b bytes.Buffer
	e := gob.NewEncoder(&b)
	for _, m := range messages {
		if err := e.Encode(m); err != nil {
			t.Fatal(err)
		}
	}
	return b.Bytes()
}

// Whatever a node tells, the harness survives it.
func FuzzHarness(f *testing.F) {
	i := engine.Invocation{Slot: 1, Generation: 1}
	f.Add(form(f, &said{Answer: &answer{Number: 1, Yes: true}}, &said{Answer: &answer{Error: "no"}}, &said{Inputs: []byte("x")}))
	f.Add(form(f, &said{Seen: []observation{{Stamp: 1, Started: &started{Invocation: i}}, {Stamp: 2, Killed: &i}, {Stamp: 3, Killed: &i}, {Stamp: 4}}, Mark: 9}))
	f.Add(form(f, &said{Seen: []observation{{Stamp: 5, Ended: &ended{Error: "no"}}, {Stamp: 1, Broken: "yes"}, {Sent: &engine.Message{}}}, Mark: -1}, &said{}))
	f.Add([]byte("GET / HTTP/1.0\r\n\r\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		m := NewMerger(&listener{})
		n := &Node{Line: line.New(&recorded{from: bytes.NewReader(b)}), name: "node 0", gone: make(chan struct{}), answers: map[uint64]chan *answer{}}
		n.stream, n.inputs = m.add(n.mark), io.Discard
		n.listen()
		m.Close()
	})
}

// Whatever a harness says, a node survives it.
func FuzzNode(f *testing.F) {
	f.Add(form(f, &command{Number: 1, Quiet: true}, &command{Mark: true}, &command{Arrive: &arrive{}}, &command{Number: 2, End: true}))
	f.Add(form(f, &command{Number: 1, Begin: &Begin{Functions: Functions{Labels: Labels{"a": "b"}}}}, &command{Number: 2, Connect: []peer{{ID: 3, Address: "x"}}}))
	f.Add(form(f, &command{Number: 1, Begin: &Begin{Bundle: &scenarios.Bundle{Name: "x", Files: map[string][]byte{"y": nil}}, ID: -1}}, &command{Fault: &fault{Kind: 99}}, &command{}))
	f.Add([]byte("GET / HTTP/1.0\r\n\r\n"))
	refuse := func(*scenarios.Bundle) (*scenarios.Trial, error) { return nil, errors.New("no") }
	f.Fuzz(func(t *testing.T, b []byte) {
		_ = serve(t.Context(), line.New(&recorded{from: bytes.NewReader(b)}), &Config{Plan: refuse})
	})
}
