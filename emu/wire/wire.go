package wire

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"github.com/flowtwin/flowtwin/engine"
	"github.com/flowtwin/flowtwin/engine/data"
	"github.com/flowtwin/flowtwin/engine/workflow"
)

// maxLost bounds the nodes that a message can name as lost.
const maxLost = 1 << 16

// AppendMessage appends the form of a message to b.
func AppendMessage(b []byte, m *engine.Message) []byte {
	b = append(b, byte(m.Kind))
	b = binary.AppendVarint(b, int64(m.From))
	b = binary.AppendVarint(b, int64(m.To))
	b = binary.AppendVarint(b, int64(m.Call))
	b = binary.AppendUvarint(b, uint64(m.Items))
	b = append(b, byte(m.Way))
	b = binary.AppendUvarint(b, m.Handle)
	b = binary.AppendUvarint(b, uint64(len(m.Lost)))
	for _, n := range m.Lost {
		b = binary.AppendVarint(b, int64(n))
	}
	return appendSubject(b, &m.Subject)
}

func appendSubject(b []byte, s *engine.Subject) []byte {
	b = AppendInvocation(b, s.Invocation)
	b = binary.AppendVarint(b, int64(s.Function))
	b = append(b, byte(s.Path.Depth()))
	for i := range s.Path.Depth() {
		l := s.Path.Level(i)
		b = binary.AppendUvarint(b, uint64(l.Index))
		b = binary.AppendUvarint(b, uint64(l.Of))
	}
	return b
}

// AppendInvocation appends the form of an invocation's name to b.
func AppendInvocation(b []byte, i engine.Invocation) []byte {
	b = binary.AppendUvarint(b, uint64(i.Workflow))
	b = binary.AppendUvarint(b, uint64(i.Attempt))
	b = binary.AppendUvarint(b, uint64(i.Slot))
	b = binary.AppendUvarint(b, uint64(i.Generation))
	return binary.AppendUvarint(b, uint64(i.Epoch))
}

// AppendEvent appends the form of an event to b.
func AppendEvent(b []byte, e *engine.Event) []byte {
	b = append(b, byte(e.Kind), byte(e.Outcome), byte(e.Document))
	b = binary.AppendVarint(b, int64(e.Peer))
	b = binary.AppendUvarint(b, uint64(e.Container.Index))
	b = binary.AppendUvarint(b, uint64(e.Container.Generation))
	b = append(b, byte(e.Timer.Kind))
	b = binary.AppendUvarint(b, uint64(e.Timer.Index))
	b = binary.AppendVarint(b, e.Number)
	return AppendMessage(b, &e.Message)
}

// AppendEffect appends the form of an effect to b.
func AppendEffect(b []byte, e *engine.Effect) []byte {
	flags := byte(0)
	if e.Cold {
		flags |= 1
	}
	if e.AtHand {
		flags |= 2
	}
	b = append(b, byte(e.Kind), byte(e.Outcome), byte(e.Document), flags)
	b = binary.AppendUvarint(b, uint64(e.Try))
	b = binary.AppendUvarint(b, uint64(e.Container.Index))
	b = binary.AppendUvarint(b, uint64(e.Container.Generation))
	b = append(b, byte(e.Timer.Kind))
	b = binary.AppendUvarint(b, uint64(e.Timer.Index))
	b = binary.AppendVarint(b, e.At)
	b = binary.AppendVarint(b, e.Since)
	b = binary.AppendVarint(b, e.Held)
	b = binary.AppendVarint(b, int64(e.Cause.Function))
	b = binary.AppendVarint(b, int64(e.Cause.Output))
	b = binary.AppendUvarint(b, uint64(e.Cause.Item.Index))
	b = binary.AppendUvarint(b, uint64(e.Cause.Item.Of))
	b = binary.AppendVarint(b, e.Number)
	b = AppendPlan(b, &e.Plan)
	return AppendMessage(b, &e.Message)
}

// AppendPlan appends the form of a plan to b.
func AppendPlan(b []byte, p *engine.Plan) []byte {
	b = binary.AppendUvarint(b, uint64(len(p.Sources)))
	for _, s := range p.Sources {
		b = append(b, byte(s))
	}
	flags := byte(0)
	if p.Guarded {
		flags |= 1
	}
	if p.Logged {
		flags |= 2
	}
	if p.Announce {
		flags |= 4
	}
	b = binary.AppendUvarint(append(b, flags), uint64(len(p.Targets)))
	for _, t := range p.Targets {
		b = append(b, byte(t))
	}
	return binary.AppendVarint(b, p.Inline)
}

// ErrShort is returned for what ends too early.
var ErrShort = errors.New("it ends too early")

// Reader reads forms from a slice of bytes, one after the other. The first
// error stays, and all that is read after it is zero.
type Reader struct {
	rest []byte
	err  error
}

// NewReader returns a reader of b.
func NewReader(b []byte) *Reader { return &Reader{rest: b} }

// Err returns the first error, or nil.
func (r *Reader) Err() error { return r.err }

// Left is the number of bytes that have not been read.
func (r *Reader) Left() int { return len(r.rest) }

// End returns the first error, or one if something is left.
func (r *Reader) End() error {
	if r.err == nil && len(r.rest) > 0 {
		r.err = fmt.Errorf("%d bytes are left over", len(r.rest))
	}
	return r.err
}

func (r *Reader) fail(err error) {
	if r.err == nil {
		r.err = err
	}
	r.rest = nil
}

// Byte reads a byte.
func (r *Reader) Byte() byte {
	if len(r.rest) == 0 {
		r.fail(ErrShort)
		return 0
	}
	b := r.rest[0]
	r.rest = r.rest[1:]
	return b
}

// Uint reads a number that is at most limit.
func (r *Reader) Uint(limit uint64) uint64 {
	v, n := binary.Uvarint(r.rest)
	switch {
	case n == 0:
		r.fail(ErrShort)
		return 0
	case n < 0 || v > limit:
		r.fail(fmt.Errorf("a number is above %d", limit))
		return 0
	}
	r.rest = r.rest[n:]
	return v
}

// Int reads a number between -limit-1 and limit.
func (r *Reader) Int(limit int64) int64 {
	v, n := binary.Varint(r.rest)
	switch {
	case n == 0:
		r.fail(ErrShort)
		return 0
	case n < 0 || v > limit || v < -limit-1:
		r.fail(fmt.Errorf("a number is out of the range of ±%d", limit))
		return 0
	}
	r.rest = r.rest[n:]
	return v
}

// Bytes reads n bytes, which stay those of the slice that is read.
func (r *Reader) Bytes(n uint64) []byte {
	if n > uint64(len(r.rest)) {
		r.fail(ErrShort)
		return nil
	}
	b := r.rest[:n:n]
	r.rest = r.rest[n:]
	return b
}

// Message reads a message.
func (r *Reader) Message() engine.Message {
	m := engine.Message{
		Kind: engine.MessageKind(r.Byte()), From: engine.NodeID(r.Int(math.MaxInt32)), To: engine.NodeID(r.Int(math.MaxInt32)),
		Call: int32(r.Int(math.MaxInt32)), Items: uint32(r.Uint(math.MaxUint32)),
		Way: data.Target(r.Byte()), Handle: r.Uint(math.MaxUint64),
	}
	// Every node takes a byte at least, so a length that lies costs nothing.
	if n := r.Uint(min(maxLost, uint64(len(r.rest)))); n > 0 {
		m.Lost = make([]engine.NodeID, n)
		for i := range m.Lost {
			m.Lost[i] = engine.NodeID(r.Int(math.MaxInt32))
		}
	}
	m.Subject = r.subject()
	return m
}

func (r *Reader) subject() engine.Subject {
	s := engine.Subject{Invocation: r.Invocation(), Function: workflow.FunctionID(r.Int(math.MaxInt32))}
	depth := r.Byte()
	if depth > workflow.MaxNesting {
		r.fail(fmt.Errorf("a path of %d levels is deeper than %d", depth, workflow.MaxNesting))
		return s
	}
	for range depth {
		index := uint32(r.Uint(math.MaxUint32))
		s.Path = s.Path.Item(index, uint32(r.Uint(math.MaxUint32)))
	}
	return s
}

// Invocation reads an invocation's name.
func (r *Reader) Invocation() engine.Invocation {
	return engine.Invocation{
		Workflow: engine.WorkflowID(r.Uint(math.MaxUint16)), Attempt: uint16(r.Uint(math.MaxUint16)),
		Slot: uint32(r.Uint(math.MaxUint32)), Generation: uint32(r.Uint(math.MaxUint32)), Epoch: uint32(r.Uint(math.MaxUint32)),
	}
}

// Event reads an event.
func (r *Reader) Event() engine.Event {
	return engine.Event{
		Kind: engine.EventKind(r.Byte()), Outcome: engine.Outcome(r.Byte()), Document: engine.DocumentKind(r.Byte()),
		Peer:      engine.NodeID(r.Int(math.MaxInt32)),
		Container: engine.ContainerID{Index: uint32(r.Uint(math.MaxUint32)), Generation: uint32(r.Uint(math.MaxUint32))},
		Timer:     engine.Timer{Kind: engine.TimerKind(r.Byte()), Index: uint32(r.Uint(math.MaxUint32))},
		Number:    r.Int(math.MaxInt64), Message: r.Message(),
	}
}
