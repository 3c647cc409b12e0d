package peer

import (
	"bufio"
	"crypto/subtle"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/flowtwin/flowtwin/emu/wire"
	"github.com/flowtwin/flowtwin/engine"
)

// A frame is its length (4 bytes, without these), its kind, and what it
// holds.
const (
	frameHello     = byte(iota) // who dials
	frameWelcome                // the answer: how much of the session has come
	frameRefused                // the answer: why not
	frameMessage                // a message
	frameHeartbeat              // the sender is alive
	frameAck                    // how many messages have come
)

const (
	frameHead = 5
	// maxFrame bounds a frame: control messages are small.
	maxFrame = 1 << 20
	magic    = "flowtwin"
	maxToken = 256
)

// begin appends the head of a frame to b; end completes it.
func begin(b []byte, kind byte) (frame []byte, at int) {
	return append(b, 0, 0, 0, 0, kind), len(b)
}

func end(b []byte, at int) []byte {
	binary.BigEndian.PutUint32(b[at:], uint32(len(b)-at-4))
	return b
}

// readFrame reads a frame. What it holds is valid until the next is read.
func readFrame(r *bufio.Reader, scratch *[]byte) (kind byte, content []byte, err error) {
	var head [frameHead]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return 0, nil, err
	}
	n := binary.BigEndian.Uint32(head[:])
	if n == 0 || n > maxFrame {
		return 0, nil, fmt.Errorf("a frame of %d bytes: this is not a node of flowtwin", n)
	}
	if cap(*scratch) < int(n) {
		*scratch = make([]byte, n)
	}
	content = (*scratch)[:n-1]
	_, err = io.ReadFull(r, content)
	return head[4], content, err
}

// hello is what a dialling node says of itself.
type hello struct {
	token    []byte
	from, to engine.NodeID
	// boot tells a node that has forgotten everything from what it was.
	boot uint64
	// session numbers those of the two nodes, from 1.
	session uint64
}

func appendHello(b []byte, h *hello) []byte {
	b, at := begin(b, frameHello)
	b = append(b, magic...)
	b = binary.AppendUvarint(b, wire.Version)
	b = binary.AppendUvarint(b, uint64(len(h.token)))
	b = append(b, h.token...)
	b = binary.AppendVarint(b, int64(h.from))
	b = binary.AppendVarint(b, int64(h.to))
	b = binary.AppendUvarint(b, h.boot)
	b = binary.AppendUvarint(b, h.session)
	return end(b, at)
}

// readHello reads what a dialling node says and checks that it may: the token
// first, so that a stranger learns nothing.
func readHello(content, token []byte) (hello, error) {
	r := wire.NewReader(content)
	if string(r.Bytes(uint64(len(magic)))) != magic {
		return hello{}, errors.New("this is not a node of flowtwin")
	}
	version := r.Uint(1 << 32)
	if r.Err() == nil && version != wire.Version {
		return hello{}, fmt.Errorf("it speaks version %d, this node %d: use the same flowtwin on all nodes", version, wire.Version)
	}
	h := hello{token: r.Bytes(r.Uint(maxToken))}
	if r.Err() == nil && subtle.ConstantTimeCompare(h.token, token) != 1 {
		return hello{}, errors.New("its token is another cluster's")
	}
	h.from, h.to = engine.NodeID(r.Int(1<<31-1)), engine.NodeID(r.Int(1<<31-1))
	h.boot, h.session = r.Uint(1<<64-1), r.Uint(1<<64-1)
	return h, r.End()
}

// appendNumber appends a frame that holds a number.
func appendNumber(b []byte, kind byte, number uint64) []byte {
	b, at := begin(b, kind)
	b = binary.AppendUvarint(b, number)
	return end(b, at)
}

func appendUints(b []byte, numbers ...uint64) []byte {
	for _, n := range numbers {
		b = binary.AppendUvarint(b, n)
	}
	return b
}
