// Package line carries typed messages between two processes, over one TCP
// connection, in order both ways.
//
// Messages are gobs, whose decoder trusts what it reads more than it should. So
// messages have a greatest length, which is small until the other end has shown
// the cluster's token, and must hold no maps: gobs make room for as many entries
// as they are told.
package line

import (
	"crypto/subtle"
	"encoding/gob"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"
)

const (
	// longest bounds a message, in bytes: data travel in them.
	longest = 1 << 30
	// longestHello bounds what a stranger can make the decoder read.
	longestHello = 4 << 10
)

// Line is one end of a connection. Anyone may send; one goroutine receives.
type Line struct {
	net.Conn
	in      *gob.Decoder
	bounded io.LimitedReader

	mu  sync.Mutex
	out *gob.Encoder
}

// New makes a line of a connection.
func New(conn net.Conn) *Line {
	l := &Line{Conn: conn, out: gob.NewEncoder(conn)}
	l.bounded.R = conn
	l.in = gob.NewDecoder(&l.bounded)
	return l
}

// Send sends a message: a pointer to a struct of which the other end knows the
// type. What is zero is not sent.
func (l *Line) Send(v any) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.out.Encode(v)
}

// Receive waits for a message, and adds it to what v points to. The error is
// io.EOF if the other end has closed the line between two messages.
func (l *Line) Receive(v any) error { return l.receive(v, longest) }

func (l *Line) receive(v any, most int64) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("what comes is no message: %v", p)
		}
	}()
	l.bounded.N = most
	err = l.in.Decode(v)
	if err != nil && l.bounded.N <= 0 {
		err = fmt.Errorf("a message is longer than %d bytes", most)
	}
	return err
}

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

// errStranger is the error for who does not show the token.
var errStranger = errors.New("it does not know the cluster's token")

// Meet waits for what who has dialled says first, for as long as patience. The
// error says that it is no flowtwin, or another cluster's: it is to learn
// nothing then.
func (l *Line) Meet(token string, patience time.Duration) (*Hello, error) {
	_ = l.SetReadDeadline(time.Now().Add(patience)) // Does not fail for TCP.
	var h Hello
	if err := l.receive(&h, longestHello); err != nil {
		return nil, fmt.Errorf("it does not say who it is: %w", err)
	}
	if subtle.ConstantTimeCompare([]byte(h.Token), []byte(token)) != 1 {
		return nil, errStranger
	}
	return &h, l.SetReadDeadline(time.Time{})
}

// CheckVersion returns an error if the other end is another flowtwin's.
func (h *Hello) CheckVersion(protocol string, version int) error {
	if h.Protocol != protocol || h.Version != version {
		return fmt.Errorf("it speaks version %d of %q, this end version %d of %q: use the same flowtwin everywhere", h.Version, h.Protocol, version, protocol)
	}
	return nil
}
