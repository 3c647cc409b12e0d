// Package line carries typed messages between two processes, over one TCP
// connection, in order both ways.
package line

import (
	"encoding/gob"
	"fmt"
	"net"
	"sync"
)

// Line is one end of a connection. Anyone may send; one goroutine receives.
type Line struct {
	net.Conn
	in *gob.Decoder

	mu  sync.Mutex
	out *gob.Encoder
}

// New makes a line of a connection.
func New(conn net.Conn) *Line {
	return &Line{Conn: conn, in: gob.NewDecoder(conn), out: gob.NewEncoder(conn)}
}

// Send sends a message: a pointer to a struct of which the other end knows the
// type. What is zero is not sent.
func (l *Line) Send(v any) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.out.Encode(v)
}

// Receive waits for a message, and adds it to what v points to.
func (l *Line) Receive(v any) error { return l.in.Decode(v) }

// Hello is what who dials says first.
type Hello struct {
	// Protocol is the name of what the two are going to speak, Version its
	// version.
	Protocol string
	Version  int
	Token    string
	// Number tells the diallers apart, where there are several.
	Number uint64
}

// CheckVersion returns an error if the other end is another flowtwin's.
func (h *Hello) CheckVersion(protocol string, version int) error {
	if h.Protocol != protocol || h.Version != version {
		return fmt.Errorf("it speaks version %d of %q, this end version %d of %q: use the same flowtwin everywhere", h.Version, h.Protocol, version, protocol)
	}
	return nil
}
