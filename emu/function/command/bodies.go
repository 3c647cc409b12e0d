package command

import (
	"context"
	"errors"
	"sync"

	"github.com/flowtwin/flowtwin/benchmarks/bodies"
	"github.com/flowtwin/flowtwin/emu/function"
	"github.com/flowtwin/flowtwin/engine/workflow"
)

// Bodies are made of one command, for all functions that have no other body.
// Where containers are no processes, it has as many processes as run tasks of
// a function at the same time, and keeps them for the next. It implements
// function.Bodies.
type Bodies struct {
	first function.Bodies
	args  []string
	ctx   context.Context
	stop  context.CancelFunc

	mu   sync.Mutex
	idle map[of][]*Process
	all  []*Process
}

// of is a function.
type of struct {
	workflow *workflow.Workflow
	function string
}

// InImage is the variable that names the command in a container, its arguments
// separated by spaces.
const InImage = "FLOWTWIN_COMMAND"

// New returns bodies that are first's where it has one, else the command's.
// All processes end when it is closed.
func New(args []string, first function.Bodies) *Bodies {
	b := &Bodies{first: first, args: args, idle: map[of][]*Process{}}
	b.ctx, b.stop = context.WithCancel(context.Background())
	return b
}

// Body implements function.Bodies. The first process of a function is started
// here.
func (b *Bodies) Body(ctx context.Context, w *workflow.Workflow, function string) (bodies.Body, error) {
	body, err := b.first.Body(ctx, w, function)
	if !errors.Is(err, bodies.ErrNone) {
		return body, err
	}
	key := of{w, function}
	p, err := b.take(key)
	if err != nil {
		return nil, err
	}
	b.give(key, p)
	return func(ctx context.Context, c bodies.Call) error {
		p, err := b.take(key)
		if err != nil {
			return err
		}
		defer b.give(key, p)
		run, err := p.Body(w, function)
		if err != nil {
			return err
		}
		return run(ctx, c)
	}, nil
}

// GlobalInput implements function.Bodies. What only a command reads are bytes
// of the size that the workflow states.
func (b *Bodies) GlobalInput(w *workflow.Workflow, name string, n int) ([]byte, error) {
	content, err := b.first.GlobalInput(w, name, n)
	if !errors.Is(err, bodies.ErrNone) {
		return content, err
	}
	return function.Stated(w, name, n)
}

// take takes an idle process of a function, or starts one.
func (b *Bodies) take(key of) (*Process, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for idle := b.idle[key]; len(idle) > 0; {
		p := idle[len(idle)-1]
		idle = idle[:len(idle)-1]
		b.idle[key] = idle
		if p.alive() {
			return p, nil
		}
	}
	p, err := Start(b.ctx, b.args)
	if err == nil {
		b.all = append(b.all, p)
	}
	return p, err
}

func (b *Bodies) give(key of, p *Process) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if p.alive() {
		b.idle[key] = append(b.idle[key], p)
	}
}

// Close ends all processes. No body may be run any more.
func (b *Bodies) Close() {
	b.stop()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, p := range b.all {
		p.Close()
	}
}
