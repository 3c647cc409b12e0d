package container

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/flowtwin/flowtwin/emu/access"
	"github.com/flowtwin/flowtwin/emu/agent"
	"github.com/flowtwin/flowtwin/emu/facts"
	"github.com/flowtwin/flowtwin/emu/function"
	"github.com/flowtwin/flowtwin/emu/line"
	"github.com/flowtwin/flowtwin/emu/node"
	"github.com/flowtwin/flowtwin/engine"
	"github.com/flowtwin/flowtwin/engine/workflow"
)

// Launcher starts processes, in whatever is a container.
type Launcher interface {
	// Launch starts a process that runs [Serve] in the environment given,
	// NAME=value, for a function. It need not wait for it.
	Launch(ctx context.Context, number uint64, f *workflow.Function, env []string) (Process, error)
}

// Process is a container as such.
type Process interface {
	// Gone is closed when the process has ended.
	Gone() <-chan struct{}
	// Kill ends the process at once, and returns when nothing is left of it.
	Kill() error
}

// Config says what a node's containers need to know.
type Config struct {
	Launcher Launcher
	Services access.Services
	Compute  string
	// Pace makes operations as slow as the scenario's profile says.
	Pace bool
	// Returns: see [function.Runtime].
	Returns bool
	// Relay, if set, is the address of a shape.Relay that they reach the services
	// of the storage node through. It knows the node's token.
	Relay string
	// Listen is the address that the containers reach their agent at; its port
	// is 0.
	Listen string
}

// Containers are those of a node. They implement agent.Containers.
type Containers struct {
	config   Config
	node     *node.Node
	listener net.Listener
	failed   error // to listen
	ctx      context.Context
	stop     context.CancelFunc
	work     sync.WaitGroup

	mu       sync.Mutex
	made     uint64
	expected map[uint64]chan arrival // those that have yet to dial
	strange  map[net.Conn]bool       // connections that have yet to say who they are
	living   map[*remote]bool
}

// arrival is a container that has dialled, or why it is of no use.
type arrival struct {
	line *line.Line
	err  error
}

// In returns what starts the containers of a node in processes of their own,
// for node.Config.
func In(c Config) func(*node.Node) agent.Containers {
	return func(n *node.Node) agent.Containers {
		all := &Containers{
			config: c, node: n, expected: map[uint64]chan arrival{}, strange: map[net.Conn]bool{}, living: map[*remote]bool{},
		}
		all.ctx, all.stop = context.WithCancel(context.Background())
		if all.listener, all.failed = net.Listen("tcp", c.Listen); all.failed == nil {
			all.work.Go(all.accept)
		}
		return all
	}
}

// accept takes the connections of containers.
func (c *Containers) accept() {
	for {
		conn, err := c.listener.Accept()
		if err != nil {
			return
		}
		c.mu.Lock()
		c.strange[conn] = true
		c.mu.Unlock()
		c.work.Go(func() {
			if !c.welcome(conn) {
				conn.Close()
			}
			c.mu.Lock()
			delete(c.strange, conn)
			c.mu.Unlock()
		})
	}
}

// welcome hands a connection to whoever waits for it.
func (c *Containers) welcome(conn net.Conn) bool {
	const patience = 10 * time.Second
	l := line.New(conn)
	h, err := l.Meet(string(c.node.Token), patience)
	if err != nil {
		return false // Whoever that is learns nothing.
	}
	c.mu.Lock()
	waiting := c.expected[h.Number]
	delete(c.expected, h.Number)
	c.mu.Unlock()
	if waiting == nil {
		return false
	}
	err = h.CheckVersion(protocol, version)
	waiting <- arrival{l, err}
	return err == nil
}

// Start implements agent.Containers.
func (c *Containers) Start(ctx context.Context, i *facts.Instance) (agent.Container, error) {
	if c.failed != nil {
		return nil, fmt.Errorf("containers cannot reach their agent: %w", c.failed)
	}
	n := c.node
	arrived := make(chan arrival, 1)
	c.mu.Lock()
	c.made++
	number := n.Boot<<32 | c.made // A node that has been restarted has others.
	c.expected[number] = arrived
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		delete(c.expected, number)
		c.mu.Unlock()
	}()
	setup := Setup{
		Node: n.ID, Services: c.config.Services, Compute: c.config.Compute, Pace: c.config.Pace, Returns: c.config.Returns,
		Relay: c.config.Relay, Bundle: n.Trial.Bundle(), Workflow: i.Invocation.Workflow, Function: i.Function, Start: n.Clock.Start(),
	}
	topic := make(chan error, 1)
	go func() { // Both take their time.
		var err error
		if n.Access.Streams() {
			setup.Topic, err = n.Access.MakeTopic(ctx, number)
		}
		topic <- err
	}()
	f := &n.Trial.Workflows[i.Invocation.Workflow].Functions[i.Function]
	process, err := c.config.Launcher.Launch(ctx, number, f, []string{
		EnvAgent + "=" + c.listener.Addr().String(), EnvToken + "=" + string(n.Token), fmt.Sprintf("%s=%d", EnvContainer, number),
	})
	if err := errors.Join(err, <-topic); err != nil {
		if process != nil {
			err = errors.Join(err, process.Kill())
		}
		return nil, err
	}
	r := &remote{
		all: c, process: process, workflow: i.Invocation.Workflow, function: i.Function,
		results: make(chan *result, 1), lost: make(chan struct{}), unsent: map[engine.Invocation]int{},
	}
	if err := r.meet(ctx, arrived, &setup); err != nil {
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		return nil, errors.Join(err, process.Kill())
	}
	c.mu.Lock()
	c.living[r] = true
	c.mu.Unlock()
	c.work.Go(r.listen)
	return r, nil
}

// Crash kills a container that runs a function, and reports whether there was
// one.
func (c *Containers) Crash(w engine.WorkflowID, f workflow.FunctionID) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for r := range c.living {
		if r.workflow == w && r.function == f && r.running() {
			c.work.Go(func() { _ = r.process.Kill() }) // That it is gone is noticed.
			return true
		}
	}
	return false
}

// Close ends all containers.
func (c *Containers) Close() error {
	c.stop()
	if c.listener != nil {
		c.listener.Close()
	}
	c.mu.Lock()
	var errs []error
	var killing sync.WaitGroup
	var mu sync.Mutex
	for r := range c.living {
		killing.Go(func() {
			err := r.process.Kill()
			mu.Lock()
			defer mu.Unlock()
			errs = append(errs, err)
		})
	}
	for conn := range c.strange {
		conn.Close()
	}
	c.mu.Unlock()
	killing.Wait()
	c.work.Wait()
	return errors.Join(errs...)
}

// remote is a container, as its agent sees it.
type remote struct {
	*line.Line
	all      *Containers
	process  Process
	workflow engine.WorkflowID
	function workflow.FunctionID
	results  chan *result
	lost     chan struct{}

	mu      sync.Mutex
	task    *function.Task // that it runs
	stopped bool
	// unsent counts what its data unit has of each attempt.
	unsent map[engine.Invocation]int
}

// meet waits for a container to be ready.
func (r *remote) meet(ctx context.Context, arrived <-chan arrival, s *Setup) error {
	select {
	case a := <-arrived:
		if a.err != nil {
			return a.err
		}
		r.Line = a.line
	case <-r.process.Gone():
		return errors.New("it ended before it had reached its agent")
	case <-ctx.Done():
		return ctx.Err()
	}
	defer context.AfterFunc(ctx, func() { r.Line.Close() })()
	var first report
	err := r.Send(&command{Setup: s})
	if err == nil {
		err = r.Receive(&first)
	}
	if err != nil {
		return fmt.Errorf("it ended before it was ready: %w", err)
	}
	if !first.Ready {
		return fmt.Errorf("it cannot get ready: %s", first.Refused)
	}
	return nil
}

// listen takes what the container says, until it is gone.
func (r *remote) listen() {
	for {
		var said report
		if err := r.Receive(&said); err != nil {
			break
		}
		if err := r.take(&said); err != nil {
			r.all.node.Observer.Failed(fmt.Errorf("a function container says what cannot be, and is given up: %w", err))
			break
		}
	}
	r.Line.Close()
	close(r.lost)
	_ = r.process.Kill() // It may be that only the connection is gone.
	r.all.mu.Lock()
	delete(r.all.living, r)
	r.all.mu.Unlock()
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := range r.unsent {
		r.all.node.Lost(i, errors.New("its container is gone"))
	}
}

// take does what the container says. The error says that it cannot be believed.
func (r *remote) take(said *report) error {
	n := r.all.node
	workflows := n.Trial.Workflows
	switch {
	case said.Posted != nil:
		t := r.current()
		if t == nil {
			return nil
		}
		_, f, err := functionOf(workflows, &t.Subject)
		if o := said.Posted.Output; err == nil && (o < 0 || int(o) >= len(f.Outputs) || !f.Outputs[o].List || said.Posted.Items > maxItems) {
			err = fmt.Errorf("%d items of output %d of %s", said.Posted.Items, o, f.Name)
		}
		if err != nil {
			return err
		}
		t.Posted(said.Posted.Output, said.Posted.Items)
	case said.Announce != nil:
		if err := checkKey(workflows, &said.Announce.Key); err != nil {
			return err
		}
		n.Announce(*said.Announce)
	case said.Handed != nil:
		r.count(*said.Handed, 1)
	case said.Sent != nil:
		r.count(*said.Sent, -1)
	case said.Lost != nil:
		r.count(said.Lost.Invocation, -1)
		n.Lost(said.Lost.Invocation, errorOf(said.Lost.Error))
	case said.Wanted != nil:
		r.all.work.Go(func() { r.answer(said.Wanted) })
	case said.Result != nil:
		r.mu.Lock()
		expected := r.task != nil
		r.task = nil
		r.mu.Unlock()
		if expected {
			r.results <- said.Result
		}
	default:
		return errors.New("nothing")
	}
	return nil
}

func (r *remote) current() *function.Task {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.task
}

func (r *remote) running() bool { return r.current() != nil }

func (r *remote) count(i engine.Invocation, n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.unsent[i] += n; r.unsent[i] <= 0 {
		delete(r.unsent, i)
	}
}

// answer looks for a datum that came to the node past the store.
func (r *remote) answer(w *wanted) {
	find := r.all.node.Stored
	if w.Inline {
		find = r.all.node.Inline
	}
	payload, err := find(r.all.ctx, &w.Key)
	a := &stored{Request: w.Request, Payload: payload}
	if errors.Is(err, function.ErrMissing) {
		a.Missing = true
	} else {
		a.Error = text(err)
	}
	_ = r.Send(&command{Stored: a}) // If it is gone it needs no answer.
}

// Run implements agent.Container.
func (r *remote) Run(ctx context.Context, t *function.Task) function.Result {
	r.mu.Lock()
	r.task = t
	r.mu.Unlock()
	if err := r.Send(&command{Run: &run{t.Instance, t.Plan, r.all.node.Clock.Start()}}); err != nil {
		<-r.lost
		return function.Result{}
	}
	select {
	case end := <-r.results:
		end.Err = errorOf(end.Error)
		return end.Result
	case <-r.lost:
	case <-ctx.Done():
	}
	return function.Result{}
}

// Lost implements agent.Container.
func (r *remote) Lost() <-chan struct{} { return r.lost }

// Close implements agent.Container. The container may go on sending.
func (r *remote) Close() {
	r.mu.Lock()
	stopped := r.stopped
	r.stopped, r.task = true, nil
	r.mu.Unlock()
	if !stopped {
		_ = r.Send(&command{Stop: true})
	}
}
