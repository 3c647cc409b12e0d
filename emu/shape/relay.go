package shape

import (
	"context"
	"crypto/subtle"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"
)

// Relay lets other processes pass a link of this one: what they would send to
// an address they send to the relay, which makes the connection for them. They
// must know its token. Limits and gates hold as if they were here; what lies in
// the system's buffers between the two is some hundred kilobytes at most.
type Relay struct {
	token    string
	dial     func(ctx context.Context, network, address string) (net.Conn, error)
	listener net.Listener
	ctx      context.Context
	cancel   context.CancelFunc
	work     sync.WaitGroup
}

const (
	// most bounds the token and the address together.
	most = 1 << 10
	// patience is how long a stranger may take to show the token.
	patience = 10 * time.Second
)

// NewRelay opens a relay on a port of the loopback interface. dial makes its
// connections.
func NewRelay(token string, dial func(ctx context.Context, network, address string) (net.Conn, error)) (*Relay, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("opening a relay: %w", err)
	}
	r := &Relay{token: token, dial: dial, listener: listener}
	r.ctx, r.cancel = context.WithCancel(context.Background())
	r.work.Go(r.accept)
	return r, nil
}

// Address is where the relay is.
func (r *Relay) Address() string { return r.listener.Addr().String() }

// Close ends all its connections.
func (r *Relay) Close() error {
	r.cancel()
	err := r.listener.Close()
	r.work.Wait()
	return err
}

func (r *Relay) accept() {
	for {
		near, err := r.listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			time.Sleep(time.Millisecond) // Too many files are open, say.
			continue
		}
		r.work.Go(func() {
			defer near.Close()
			defer context.AfterFunc(r.ctx, func() { near.Close() })()
			r.serve(near)
		})
	}
}

// serve joins a connection with the one that it asks for.
func (r *Relay) serve(near net.Conn) {
	_ = near.SetReadDeadline(time.Now().Add(patience))
	token, address, err := readPreface(near)
	if err != nil || subtle.ConstantTimeCompare([]byte(token), []byte(r.token)) != 1 {
		return // Whoever that is learns nothing.
	}
	_ = near.SetReadDeadline(time.Time{})
	far, err := r.dial(r.ctx, "tcp", address)
	if err != nil {
		return // That it is out of reach shows in the end of the connection.
	}
	defer far.Close()
	defer context.AfterFunc(r.ctx, func() { far.Close() })()
	var there sync.WaitGroup
	there.Go(func() {
		_, _ = io.Copy(far, near)
		far.Close() // Clients of services never close one half alone.
	})
	_, _ = io.Copy(near, far)
	near.Close()
	there.Wait()
}

// A preface is the lengths of the token and the address (2 bytes each), and both.

func preface(token, address string) []byte {
	b := binary.BigEndian.AppendUint16(nil, uint16(len(token)))
	b = binary.BigEndian.AppendUint16(b, uint16(len(address)))
	return append(append(b, token...), address...)
}

func readPreface(from io.Reader) (token, address string, err error) {
	var head [4]byte
	if _, err := io.ReadFull(from, head[:]); err != nil {
		return "", "", err
	}
	n := int(binary.BigEndian.Uint16(head[:]))
	all := n + int(binary.BigEndian.Uint16(head[2:]))
	if all > most {
		return "", "", fmt.Errorf("a token and an address of %d bytes", all)
	}
	text := make([]byte, all)
	_, err = io.ReadFull(from, text)
	return string(text[:n]), string(text[n:]), err
}

// Via returns how to make connections through a relay.
func Via(relay, token string) func(ctx context.Context, network, address string) (net.Conn, error) {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		if len(token)+len(address) > most {
			return nil, fmt.Errorf("the address %s is too long for a relay", address)
		}
		var d net.Dialer
		conn, err := d.DialContext(ctx, network, relay)
		if err != nil {
			return nil, fmt.Errorf("the node's relay cannot be reached: %w", err)
		}
		if _, err := conn.Write(preface(token, address)); err != nil {
			conn.Close()
			return nil, fmt.Errorf("the node's relay is gone: %w", err)
		}
		return conn, nil
	}
}
