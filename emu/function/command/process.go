package command

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"sync"
	"time"

	"github.com/flowtwin/flowtwin/benchmarks/bodies"
	"github.com/flowtwin/flowtwin/engine/workflow"
)

// Variable is the environment variable that tells a program where to ask for
// tasks.
const Variable = "FLOWTWIN_RUNTIME"

// Process is a program that runs tasks, one at a time.
type Process struct {
	tasks  chan *session
	server *http.Server
	kill   context.CancelFunc
	ended  chan struct{} // closed when the program has ended
	err    error         // why, once it has
}

// Start starts a program and gives it a runtime to ask for tasks. It is killed
// when ctx ends.
func Start(ctx context.Context, args []string) (*Process, error) {
	if len(args) == 0 {
		return nil, errors.New("the command that is to run functions is empty")
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("a runtime for %s: %w", args[0], err)
	}
	ctx, kill := context.WithCancel(ctx)
	p := &Process{tasks: make(chan *session), kill: kill, ended: make(chan struct{})}
	r := &runtime{tasks: p.tasks, ended: p.ended}
	secret := "/" + rand.Text() // Others on this machine could ask as well.
	p.server = &http.Server{Handler: http.StripPrefix(secret, r.handler()), ReadHeaderTimeout: 10 * time.Second}
	c := exec.CommandContext(ctx, args[0], args[1:]...)
	c.Env = append(os.Environ(), Variable+"=http://"+listener.Addr().String()+secret)
	c.WaitDelay = time.Second // Its children may hold its output open.
	told := &tail{}
	c.Stdout, c.Stderr = told, told
	if err := c.Start(); err != nil {
		kill()
		return nil, errors.Join(fmt.Errorf("the command that is to run functions cannot be started: %w", err), listener.Close())
	}
	go func() { _ = p.server.Serve(listener) }() // Ends when it is closed.
	go func() {
		defer close(p.ended)
		err := cmp.Or(c.Wait(), errors.New("it exits"))
		_ = p.server.Close() // Nobody asks any more.
		p.err = fmt.Errorf("the command %s has ended: %w: %s", args[0], err, told)
	}()
	return p, nil
}

// Body returns the body of a function that runs its tasks in this process.
func (p *Process) Body(w *workflow.Workflow, function string) (bodies.Body, error) {
	id, ok := w.Function(function)
	if !ok {
		return nil, fmt.Errorf("%s has no function %s", w.Name, function)
	}
	return func(ctx context.Context, c bodies.Call) error { return p.run(ctx, w, &w.Functions[id], c) }, nil
}

// run has the program run a task. If ctx ends meanwhile, the program is killed:
// nobody could vouch for its state.
func (p *Process) run(ctx context.Context, w *workflow.Workflow, f *workflow.Function, c bodies.Call) error {
	s, err := newSession(w, f, c)
	if err != nil {
		return err
	}
	defer s.end(nil)
	select {
	case p.tasks <- s:
	case <-p.ended:
		return p.err
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case <-s.done:
		return s.err
	case <-p.ended:
		return p.err
	case <-ctx.Done():
		p.kill()
		<-p.ended
		return ctx.Err()
	}
}

// alive reports whether the program has not ended.
func (p *Process) alive() bool {
	select {
	case <-p.ended:
		return false
	default:
		return true
	}
}

// Close kills the program and waits for its end.
func (p *Process) Close() {
	p.kill()
	<-p.ended
}

// tail keeps the last of what a program prints.
type tail struct {
	mu   sync.Mutex
	text []byte
}

// Write implements io.Writer.
func (t *tail) Write(p []byte) (int, error) {
	const most = 2048
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text = append(t.text, p...)
	if over := len(t.text) - most; over > 0 {
		t.text = append(t.text[:0], t.text[over:]...)
	}
	return len(p), nil
}

// String returns it.
func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	if text := bytes.TrimSpace(t.text); len(text) > 0 {
		return string(text)
	}
	return "it has printed nothing"
}
