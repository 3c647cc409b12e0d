package container

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"sync"
	"time"

	"github.com/flowtwin/flowtwin/emu/access"
	"github.com/flowtwin/flowtwin/emu/clock"
	"github.com/flowtwin/flowtwin/emu/facts"
	"github.com/flowtwin/flowtwin/emu/function"
	"github.com/flowtwin/flowtwin/emu/line"
	"github.com/flowtwin/flowtwin/emu/node"
	"github.com/flowtwin/flowtwin/emu/pace"
	"github.com/flowtwin/flowtwin/emu/services"
	"github.com/flowtwin/flowtwin/emu/shape"
	"github.com/flowtwin/flowtwin/engine"
	"github.com/flowtwin/flowtwin/engine/workflow"
	"github.com/flowtwin/flowtwin/scenarios"
)

// Serve is the container's end: it does what its agent says, of whom the
// environment tells, until it is stopped or the agent is gone. real is what
// functions really do, if they are to.
func Serve(ctx context.Context, plan scenarios.Planner, real function.Bodies) error {
	number, err := strconv.ParseUint(os.Getenv(EnvContainer), 10, 64)
	if err != nil || os.Getenv(EnvAgent) == "" {
		return fmt.Errorf("a function container is started by a node of flowtwin, which sets %s, %s and %s", EnvAgent, EnvToken, EnvContainer)
	}
	dialer := net.Dialer{Timeout: 10 * time.Second}
	conn, err := dialer.DialContext(ctx, "tcp", os.Getenv(EnvAgent))
	if err != nil {
		return fmt.Errorf("the agent cannot be reached: %w", err)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	// Whoever waits for the connection is to learn that it is over.
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	s := &server{Line: line.New(conn), clock: clock.New(), over: make(chan struct{}), answers: map[uint64]chan *stored{}}
	defer conn.Close()
	if err := s.Send(&line.Hello{Protocol: protocol, Version: version, Token: os.Getenv(EnvToken), Number: number}); err != nil {
		return err
	}
	var first command
	if err := s.Receive(&first); err != nil || first.Setup == nil {
		return errors.Join(errors.New("the agent does not say what is to be run"), err)
	}
	if err := s.setUp(ctx, first.Setup, plan, real); err != nil {
		return errors.Join(err, s.Send(&report{Refused: err.Error()}))
	}
	defer s.access.Close()
	if err := s.Send(&report{Ready: true}); err != nil {
		return err
	}
	return s.serve(ctx, cancel)
}

// server is a container.
type server struct {
	*line.Line
	clock   *clock.Clock
	runtime *function.Runtime
	access  *access.Access
	unit    *function.Unit // nil where nothing is streamed

	over chan struct{} // closed when nothing runs any more: it is stopped, or the agent is gone

	mu       sync.Mutex
	requests uint64
	answers  map[uint64]chan *stored
}

// setUp prepares for tasks.
func (s *server) setUp(ctx context.Context, o *Setup, planner scenarios.Planner, real function.Bodies) error {
	if o.Bundle == nil {
		return errors.New("the agent does not say which scenario")
	}
	t, err := planner(o.Bundle)
	if err != nil {
		return fmt.Errorf("the scenario: %w", err)
	}
	s.clock.StartAt(o.Start)
	dial, err := dialFrom(os.Getenv(EnvAddress))
	if err != nil {
		return err
	}
	if o.Relay != "" {
		dial = shape.Via(o.Relay, os.Getenv(EnvToken))
	}
	detect := node.Detect(t)
	if o.Relay != "" {
		detect = 0 // Which sees to that.
	}
	var pacer *pace.Pacer
	if o.Pace {
		pacer = pace.New(t.Profile)
	}
	if s.access, err = access.Open(ctx, t, o.Node, o.Services, access.Options{Store: dial, Broker: dial, Shared: true, Pacer: pacer,
		Detect: detect, Unasked: true, // The agent has found them.
	}); err != nil {
		return err
	}
	work, err := function.WorkOf(o.Compute, real)
	if err != nil {
		return err
	}
	bound, err := function.Bind(ctx, work.Bodies, t.Workflows, func(w engine.WorkflowID, f workflow.FunctionID) bool {
		return w == o.Workflow && f == o.Function
	})
	if err != nil {
		return err
	}
	rules := t.Profile.Rules()
	s.runtime = function.New(function.Runtime{
		Workflows: t.Workflows, Rules: &rules, Facts: facts.New(t),
		Store: s.access.Objects(), Guarded: s.access.Guarded(), Memory: s.access.Memory(), Journal: s.access,
		Lookups: t.Profile.Store.Lookups, Compute: work.Compute, Bodies: bound, Returns: o.Returns, Now: s.clock.Now,
	})
	if o.Topic != "" {
		s.runtime.Sink = s
	}
	if pacer != nil {
		pacer.Runtime(s.runtime)
	}
	if o.Topic == "" {
		return nil
	}
	s.unit = function.NewUnit(ctx, sending{s.access.Sender(o.Topic), s}, t.Profile.Broker.FIFOUnit,
		func(a function.Announcement) { _ = s.Send(&report{Announce: &a}) }, // Without the agent there is nobody to tell.
		func(i engine.Invocation, err error) { _ = s.Send(&report{Lost: &lost{i, err.Error()}}) })
	return nil
}

// dialFrom returns how to dial from an address; the system chooses it if it
// is empty.
func dialFrom(address string) (services.Dial, error) {
	if address == "" {
		return nil, nil
	}
	ip := net.ParseIP(address)
	if ip == nil {
		return nil, fmt.Errorf("%s=%s is no address", EnvAddress, address)
	}
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: ip}}
	return d.DialContext, nil
}

// sending tells the agent what the data unit has sent.
type sending struct {
	function.Sender
	server *server
}

// Send implements function.Sender.
func (s sending) Send(ctx context.Context, k *function.Key, payload []byte, announce func(where []byte)) error {
	err := s.Sender.Send(ctx, k, payload, announce)
	if err == nil {
		_ = s.server.Send(&report{Sent: &k.Invocation})
	}
	return err
}

// serve runs tasks until the container is stopped, and its data unit has sent
// what it has. If the agent is gone, nobody wants that any more.
func (s *server) serve(ctx context.Context, giveUp func()) error {
	running, kill := context.WithCancel(ctx)
	defer kill()
	var tasks, ending sync.WaitGroup
	defer ending.Wait()
	stopped := false
	end := func() {
		if !stopped {
			stopped = true
			close(s.over)
			kill()
		}
	}
	for {
		var c command
		if err := s.Receive(&c); err != nil {
			expected := stopped || errors.Is(err, io.EOF) || ctx.Err() != nil // A node that ends takes its containers along.
			end()
			giveUp()
			tasks.Wait()
			if expected {
				return nil
			}
			return fmt.Errorf("the agent is gone: %w", err)
		}
		switch {
		case c.Run != nil && !stopped:
			if err := checkRun(s.runtime.Workflows, c.Run, s.unit != nil); err != nil {
				end()
				tasks.Wait()
				return fmt.Errorf("the agent asks for a task that cannot be: %w", err)
			}
			tasks.Go(func() { s.run(running, c.Run) })
		case c.Stored != nil:
			s.mu.Lock()
			answer := s.answers[c.Stored.Request]
			delete(s.answers, c.Stored.Request)
			s.mu.Unlock()
			if answer != nil {
				answer <- c.Stored
			}
		case c.Stop && !stopped:
			end()
			ending.Go(func() {
				tasks.Wait()
				if s.unit != nil {
					s.unit.Wait()
				}
				s.Line.Close()
			})
		}
	}
}

// run runs a task and reports what has become of it.
func (s *server) run(ctx context.Context, r *run) {
	s.clock.StartAt(r.Start)
	t := &function.Task{
		Instance: r.Instance, Plan: r.Plan,
		Posted:   func(output int32, items uint32) { _ = s.Send(&report{Posted: &posted{output, items}}) },
		Announce: func(a function.Announcement) { _ = s.Send(&report{Announce: &a}) },
	}
	if s.unit != nil {
		t.Hand = func(k function.Key, payload []byte) {
			_ = s.Send(&report{Handed: &k.Invocation})
			s.unit.Hand(k, payload)
		}
	}
	end := &result{Result: s.runtime.Run(ctx, t)}
	end.Error, end.Err = text(end.Err), nil
	if ctx.Err() == nil {
		_ = s.Send(&report{Result: end})
	}
}

// Inline implements function.Sink.
func (s *server) Inline(k *function.Key) ([]byte, bool) {
	payload, err := s.ask(context.Background(), k, true)
	return payload, err == nil
}

// Read implements function.Sink.
func (s *server) Read(ctx context.Context, k *function.Key) ([]byte, error) {
	return s.ask(ctx, k, false)
}

// ask asks the agent for what came to the node past the store.
func (s *server) ask(ctx context.Context, k *function.Key, inline bool) ([]byte, error) {
	answer := make(chan *stored, 1)
	s.mu.Lock()
	s.requests++
	request := s.requests
	s.answers[request] = answer
	s.mu.Unlock()
	if err := s.Send(&report{Wanted: &wanted{request, *k, inline}}); err != nil {
		return nil, err
	}
	select {
	case a := <-answer:
		if a.Missing {
			return nil, function.ErrMissing
		}
		return a.Payload, errorOf(a.Error)
	case <-s.over:
		return nil, errors.New("the container is stopped")
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

var _ function.Sink = (*server)(nil)
