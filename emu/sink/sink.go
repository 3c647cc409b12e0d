// Package sink is where streamed data arrive on a node: what came inline in a
// control message is kept in memory, what was prefetched from the broker, or
// moved out of memory, in files.
package sink

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"

	"github.com/flowtwin/flowtwin/emu/function"
	"github.com/flowtwin/flowtwin/engine"
)

// Sink is one node's.
type Sink struct {
	dir string

	mu     sync.Mutex
	inline map[function.Key][]byte
	files  map[function.Key]*file
	// keys of each attempt, so that they can be dropped together.
	keys map[engine.Invocation][]function.Key
}

// file is a datum on disk, or on its way there.
type file struct {
	path string
	done chan struct{} // closed when it is there, or will never be
	err  error
}

// New returns a sink that keeps its files in a new directory below dir.
func New(dir string, node engine.NodeID) (*Sink, error) {
	own, err := os.MkdirTemp(dir, fmt.Sprintf("flowtwin-node-%d-", node))
	if err != nil {
		return nil, fmt.Errorf("a place for prefetched data: %w", err)
	}
	return &Sink{
		dir: own, inline: map[function.Key][]byte{}, files: map[function.Key]*file{},
		keys: map[engine.Invocation][]function.Key{},
	}, nil
}

// Close removes all files.
func (s *Sink) Close() error { return os.RemoveAll(s.dir) }

// Keep keeps what has come inline.
func (s *Sink) Keep(k *function.Key, payload []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.inline[*k] = payload
	s.keys[k.Invocation] = append(s.keys[k.Invocation], *k)
}

// Inline returns what has come inline.
func (s *Sink) Inline(k *function.Key) ([]byte, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	payload, ok := s.inline[*k]
	return payload, ok
}

// Write makes the file of a datum. fill writes it; a file that it fails to
// write is not kept. It replaces one that there was.
func (s *Sink) Write(k *function.Key, fill func(io.Writer) error) (size int64, err error) {
	f := &file{path: filepath.Join(s.dir, k.Owner()+"-"+k.Name()), done: make(chan struct{})}
	s.mu.Lock()
	s.files[*k] = f
	s.keys[k.Invocation] = append(s.keys[k.Invocation], *k)
	s.mu.Unlock()
	defer close(f.done)
	size, f.err = write(f.path, fill)
	return size, f.err
}

func write(path string, fill func(io.Writer) error) (int64, error) {
	out, err := os.Create(path)
	if err != nil {
		return 0, err
	}
	err = fill(out)
	info, statErr := out.Stat()
	if closeErr := out.Close(); err == nil {
		err = closeErr
	}
	if err == nil {
		err = statErr
	}
	if err != nil {
		_ = os.Remove(path) // What it was about is told.
		return 0, err
	}
	return info.Size(), nil
}

// Read returns what the file of a datum holds, when it is all there. The error
// is function.ErrMissing if there is none.
func (s *Sink) Read(ctx context.Context, k *function.Key) ([]byte, error) {
	s.mu.Lock()
	f := s.files[*k]
	s.mu.Unlock()
	if f == nil {
		return nil, function.ErrMissing
	}
	select {
	case <-f.done:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if f.err != nil {
		return nil, fmt.Errorf("%w: it could not be prefetched: %w", function.ErrMissing, f.err)
	}
	return os.ReadFile(f.path)
}

// Drop forgets a datum.
func (s *Sink) Drop(k *function.Key) error {
	s.mu.Lock()
	f := s.files[*k]
	delete(s.files, *k)
	delete(s.inline, *k)
	s.mu.Unlock()
	return f.remove()
}

// Release forgets all data of an attempt.
func (s *Sink) Release(i engine.Invocation) error {
	s.mu.Lock()
	keys := s.keys[i]
	delete(s.keys, i)
	var files []*file
	for _, k := range keys {
		files = append(files, s.files[k])
		delete(s.files, k)
		delete(s.inline, k)
	}
	s.mu.Unlock()
	for _, f := range files {
		if err := f.remove(); err != nil {
			return err
		}
	}
	return nil
}

// remove removes a file that is there.
func (f *file) remove() error {
	if f == nil {
		return nil
	}
	select {
	case <-f.done:
	default: // Whoever writes it will not be missed; the directory goes at the end.
		return nil
	}
	if err := os.Remove(f.path); err != nil && !os.IsNotExist(err) {
		return err
	}
	return nil
}
