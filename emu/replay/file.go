package replay

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math"
	"os"
	"path/filepath"
	"time"

	"github.com/flowtwin/flowtwin/emu/wire"
	"github.com/flowtwin/flowtwin/engine"
	"github.com/flowtwin/flowtwin/scenarios"
)

const magic = "flowtwin inputs\n"

// Head says whose inputs a file holds.
type Head struct {
	Point, Trial int
	Node         engine.NodeID
	// Restarted: the node had come back without its memory.
	Restarted bool
}

// Step is one event that an engine was told, and a digest of what it asked
// for.
type Step struct {
	Time    engine.Time
	Event   engine.Event
	Effects int
	Digest  uint64
}

// A block is its length, its content, and its checksum (CRC-32C).
const maxBlock = 1 << 20

// Writer writes the inputs of a node.
type Writer struct {
	to    *bufio.Writer
	since engine.Time // when it was last seen to that all is written
	close func() error
	block []byte
	frame []byte
	form  []byte // of an effect
}

// Create makes the file in a run directory that the inputs of a node's engine
// in a trial go to, after so many restarts of the node.
func Create(dir string, t *scenarios.Trial, node engine.NodeID, restarts int) (*os.File, error) {
	e := t.Cluster.Engine()
	name := filepath.Join(dir, FileName(t.Point, t.Number, &e, node, restarts))
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return nil, err
	}
	return os.Create(name)
}

// NewWriter begins a file.
func NewWriter(to io.WriteCloser, h Head) (*Writer, error) {
	w := &Writer{to: bufio.NewWriterSize(to, 64<<10), close: to.Close}
	if _, err := w.to.WriteString(magic); err != nil {
		return nil, errors.Join(err, to.Close())
	}
	restarted := uint64(0)
	if h.Restarted {
		restarted = 1
	}
	for _, n := range [...]uint64{wire.Version, uint64(h.Point), uint64(h.Trial), uint64(h.Node), restarted} {
		w.block = binary.AppendUvarint(w.block, n)
	}
	if err := errors.Join(w.write(), w.to.Flush()); err != nil {
		return nil, errors.Join(err, to.Close())
	}
	return w, nil
}

// flushEvery is how much of the inputs a node that is killed takes along, in
// nanoseconds; the rest can be replayed.
const flushEvery = 100 * int64(time.Millisecond)

// Step implements agent.Journal.
func (w *Writer) Step(now engine.Time, e *engine.Event, effects []engine.Effect) error {
	w.block = binary.AppendVarint(w.block[:0], now)
	w.block = wire.AppendEvent(w.block, e)
	w.block = binary.AppendUvarint(w.block, uint64(len(effects)))
	var digest uint64
	digest, w.form = digestOf(effects, w.form)
	w.block = binary.BigEndian.AppendUint64(w.block, digest)
	if err := w.write(); err != nil || now-w.since < flushEvery {
		return err
	}
	w.since = now
	return w.to.Flush()
}

func (w *Writer) write() error {
	w.frame = binary.AppendUvarint(w.frame[:0], uint64(len(w.block)))
	w.frame = append(w.frame, w.block...)
	w.frame = binary.BigEndian.AppendUint32(w.frame, checksum(w.block))
	_, err := w.to.Write(w.frame)
	return err
}

// Close ends the file.
func (w *Writer) Close() error { return errors.Join(w.to.Flush(), w.close()) }

func checksum(b []byte) uint32 { return crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)) }

// digestOf sums effects up (FNV-1a over their forms).
func digestOf(effects []engine.Effect, form []byte) (digest uint64, scratch []byte) {
	digest = 14695981039346656037
	for i := range effects {
		form = wire.AppendEffect(form[:0], &effects[i])
		for _, b := range form {
			digest = (digest ^ uint64(b)) * 1099511628211
		}
	}
	return digest, form
}

// Reader reads the inputs of a node.
type Reader struct {
	from  *bufio.Reader
	block []byte
	Head  Head
}

// NewReader reads the head of a file.
func NewReader(from io.Reader) (*Reader, error) {
	r := &Reader{from: bufio.NewReaderSize(from, 64<<10)}
	begin := make([]byte, len(magic))
	if _, err := io.ReadFull(r.from, begin); err != nil || string(begin) != magic {
		return nil, errors.New("this is no file of inputs")
	}
	if err := r.next(); err != nil {
		return nil, fmt.Errorf("its head cannot be read: %w", err)
	}
	b := wire.NewReader(r.block)
	if version := b.Uint(math.MaxUint64); b.Err() == nil && version != wire.Version {
		return nil, fmt.Errorf("it is of version %d, this flowtwin reads version %d: run the scenario again", version, wire.Version)
	}
	r.Head = Head{
		Point: int(b.Uint(math.MaxInt32)), Trial: int(b.Uint(math.MaxInt32)), Node: engine.NodeID(b.Uint(math.MaxInt32)), Restarted: b.Uint(1) == 1,
	}
	return r, b.End()
}

// Next reads a step. The error is io.EOF at the end, io.ErrUnexpectedEOF if
// the file was not written to its end.
func (r *Reader) Next(s *Step) error {
	if err := r.next(); err != nil {
		return err
	}
	b := wire.NewReader(r.block)
	*s = Step{Time: b.Int(math.MaxInt64), Event: b.Event(), Effects: int(b.Uint(math.MaxInt32))}
	if digest := b.Bytes(8); digest != nil {
		s.Digest = binary.BigEndian.Uint64(digest)
	}
	return b.End()
}

// next reads a block.
func (r *Reader) next() error {
	n, err := binary.ReadUvarint(r.from)
	if err != nil {
		return err
	}
	if n > maxBlock {
		return fmt.Errorf("a step of %d bytes: the file is damaged", n)
	}
	if uint64(cap(r.block)) < n {
		r.block = make([]byte, n)
	}
	r.block = r.block[:n]
	var sum [4]byte
	_, err = io.ReadFull(r.from, r.block)
	if err == nil {
		_, err = io.ReadFull(r.from, sum[:])
	}
	switch {
	case errors.Is(err, io.EOF):
		return io.ErrUnexpectedEOF
	case err != nil:
		return err
	case binary.BigEndian.Uint32(sum[:]) != checksum(r.block):
		return errors.New("a checksum is wrong: the file is damaged")
	}
	return nil
}
