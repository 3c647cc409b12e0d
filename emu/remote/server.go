package remote

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/flowtwin/flowtwin/emu/access"
	"github.com/flowtwin/flowtwin/emu/agent"
	"github.com/flowtwin/flowtwin/emu/clock"
	"github.com/flowtwin/flowtwin/emu/function"
	"github.com/flowtwin/flowtwin/emu/line"
	"github.com/flowtwin/flowtwin/emu/node"
	"github.com/flowtwin/flowtwin/emu/pace"
	"github.com/flowtwin/flowtwin/emu/probe"
	"github.com/flowtwin/flowtwin/emu/replay"
	"github.com/flowtwin/flowtwin/emu/services"
	"github.com/flowtwin/flowtwin/emu/shape/htb"
	"github.com/flowtwin/flowtwin/engine"
	"github.com/flowtwin/flowtwin/results/chain"
	"github.com/flowtwin/flowtwin/scenarios"
)

// Shaper limits what a node sends and receives.
type Shaper interface {
	// Slow divides the rate of the node's link; 1 restores it.
	Slow(factor float64) error
	// Block loses all that goes to an address or comes from it.
	Block(netip.Addr) error
	Unblock(netip.Addr) error
	Close() error
}

// Config says what a node's process can do.
type Config struct {
	Token string
	Plan  scenarios.Planner
	// Bodies are what functions really do, if they are to.
	Bodies function.Bodies
	// Containers makes what starts the containers of a worker for a trial.
	Containers func(*Begin) (func(*node.Node) agent.Containers, error)
	// Shape, if set, puts limits on the node's traffic. Without it, partitions
	// are between agents only.
	Shape func(htb.Limits) (Shaper, error)
	// Patience is how long the node waits for a harness.
	Patience time.Duration
}

// Serve has a node do what its harness says. It returns when the harness is
// gone, and nil if that has said farewell.
func Serve(ctx context.Context, listener net.Listener, c Config) error {
	waiting, cancel := context.WithTimeout(ctx, c.Patience)
	defer cancel()
	l, err := await(waiting, listener, &c)
	if err != nil {
		if ctx.Err() == nil && waiting.Err() != nil {
			err = fmt.Errorf("no harness has come within %s", c.Patience)
		}
		return err
	}
	return serve(ctx, l, &c)
}

// await waits for the harness. Strangers, who may take their time, keep it from
// nothing.
func await(ctx context.Context, listener net.Listener, c *Config) (*line.Line, error) {
	type arrival struct {
		line *line.Line
		err  error
	}
	ctx, cancel := context.WithCancel(ctx)
	var strangers sync.WaitGroup
	defer strangers.Wait()
	defer cancel()
	defer listener.Close()
	defer context.AfterFunc(ctx, func() { listener.Close() })()
	arrived := make(chan arrival)
	meet := func(conn net.Conn) {
		stop := context.AfterFunc(ctx, func() { conn.Close() })
		defer stop()
		l := line.New(conn)
		h, err := l.Meet(c.Token, c.Patience)
		if err != nil {
			conn.Close() // Whoever that is learns nothing.
			return
		}
		if err = h.CheckVersion(protocol, version); err != nil {
			err = errors.Join(err, l.Send(&said{Answer: &answer{Error: err.Error()}}))
			// What it has sent meanwhile is read: else the end of the connection
			// could overtake the answer.
			_ = conn.SetReadDeadline(time.Now().Add(time.Second))
			_, _ = io.Copy(io.Discard, conn)
			conn.Close()
		}
		stop()
		select {
		case arrived <- arrival{l, err}:
		case <-ctx.Done():
			conn.Close() // There is one harness.
		}
	}
	strangers.Go(func() {
		for {
			conn, err := listener.Accept()
			if errors.Is(err, net.ErrClosed) {
				return
			}
			if err != nil {
				time.Sleep(time.Millisecond) // Too many files are open, say.
				continue
			}
			strangers.Go(func() { meet(conn) })
		}
	})
	select {
	case a := <-arrived:
		return a.line, a.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// server is a node's end of a connection.
type server struct {
	*line.Line
	config  *Config
	watcher *watcher
	trial   *trial // nil between trials
}

// trial is a node's part in a trial.
type trial struct {
	clock  *clock.Clock
	access *access.Access
	node   *node.Node
	inputs *replay.Writer // nil if they are not recorded
	shaper Shaper         // nil without
	// stop ends what goes on beside the node.
	stop   context.CancelFunc
	beside sync.WaitGroup
}

func serve(ctx context.Context, l *line.Line, c *Config) error {
	s := &server{Line: l, config: c, watcher: newWatcher(l)}
	defer l.Close()
	defer context.AfterFunc(ctx, func() { l.Close() })()
	defer func() {
		_ = s.end() // There is nobody to tell any more.
		s.watcher.close()
	}()
	for {
		var next command
		if err := l.Receive(&next); err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if errors.Is(err, io.EOF) {
				return nil
			}
			return fmt.Errorf("the harness is gone: %w", err)
		}
		s.obey(ctx, &next)
	}
}

// obey does what a command says, and answers if that is wanted. What takes
// long goes on beside.
func (s *server) obey(ctx context.Context, c *command) {
	a := &answer{Number: c.Number}
	reply := func(err error) {
		if err != nil {
			a.Error = err.Error()
		}
		if c.Number != 0 {
			_ = s.Send(&said{Answer: a})
		}
	}
	t := s.trial
	switch {
	case c.Mark:
		s.watcher.flush()
	case c.Begin != nil:
		reply(s.begin(ctx, c.Begin))
	case c.End:
		reply(s.end())
	case t == nil:
		reply(errors.New("there is no trial under way"))
	case c.Connect != nil:
		addresses := map[engine.NodeID]string{}
		for _, p := range c.Connect {
			addresses[p.ID] = p.Address
		}
		t.node.Connect(addresses)
		reply(nil)
	case c.Ready:
		go func() {
			ready, cancel := context.WithTimeout(ctx, readyTime)
			defer cancel()
			reply(t.node.Ready(ready))
		}()
	case c.Start != 0:
		t.clock.StartAt(c.Start)
		reply(nil)
	case c.Arrive != nil:
		t.node.Arrive(c.Arrive.Workflow, c.Arrive.Number)
	case c.Quiet:
		go func() {
			a.Yes = t.node.Quiet()
			reply(nil)
		}()
	case c.Fault != nil:
		yes, err := t.make(c.Fault)
		a.Yes = yes
		reply(err)
	case c.Probe != nil:
		go func() {
			var err error
			a.Rate, err = probe.Measure(ctx, func(ctx context.Context) (net.Conn, error) {
				return services.Direct(ctx, "tcp", c.Probe.Address)
			}, c.Probe.Direction, c.Probe.Duration)
			reply(err)
		}()
	case c.Usage:
		var err error
		a.Usage, err = t.usage(ctx)
		reply(err)
	default:
		reply(errors.New("the harness asks for what this node does not know"))
	}
}

// readyTime is how long nodes may take to reach each other.
const readyTime = 30 * time.Second

// begin makes the node part of a trial.
func (s *server) begin(ctx context.Context, b *Begin) (err error) {
	if s.trial != nil {
		return errors.New("another trial is under way")
	}
	if b.Bundle == nil {
		return errors.New("the harness does not say which")
	}
	t, err := s.config.Plan(b.Bundle)
	if err != nil {
		return fmt.Errorf("the scenario: %w", err)
	}
	own := &trial{clock: clock.New()}
	during, stop := context.WithCancel(ctx)
	own.stop = stop
	defer func() {
		if err != nil {
			err = errors.Join(err, own.end())
		}
	}()
	work, err := function.WorkOf(b.Compute, s.config.Bodies)
	if err != nil {
		return err
	}
	if s.config.Shape != nil {
		if own.shaper, err = s.config.Shape(b.Limits); err != nil {
			return err
		}
	}
	if b.Probed != "" {
		probed, err := net.Listen("tcp", b.Probed)
		if err != nil {
			return err
		}
		own.beside.Go(func() { _ = probe.Serve(during, probed) }) // Who measures will notice.
	}
	var pacer *pace.Pacer
	if b.Pace {
		pacer = pace.New(t.Profile)
	}
	opening, cancel := context.WithTimeout(ctx, readyTime)
	defer cancel()
	if own.access, err = access.Open(opening, t, b.ID, b.Services, access.Options{
		Shared: true, Pacer: pacer, Detect: node.Detect(t), Unasked: b.Boot > 1, // What it was before has found them.
	}); err != nil {
		return err
	}
	config := node.Config{
		ID: b.ID, Trial: t, Listen: b.Listen, Token: []byte(s.config.Token), Boot: b.Boot, Access: own.access, Clock: own.clock,
		Work: work, Pacer: pacer, Observer: s.watcher, Elsewhere: true,
		Containers: func(*node.Node) agent.Containers { return nil },
	}
	if b.ID >= scenarios.FirstWorker {
		if config.Containers, err = s.config.Containers(b); err != nil {
			return err
		}
	}
	if b.Record {
		head := replay.Head{Point: t.Point, Trial: t.Number, Node: b.ID, Restarted: b.Boot > 1}
		if own.inputs, err = replay.NewWriter(inputs{s.Line}, head); err != nil {
			return err
		}
		config.Journal = own.inputs
	}
	if own.node, err = node.New(config); err != nil {
		return err
	}
	s.trial = own
	return nil
}

// end ends the node's part in a trial; all that it has seen has been told
// then.
func (s *server) end() error {
	if s.trial == nil {
		return nil
	}
	err := s.trial.end()
	s.trial = nil
	s.watcher.tell()
	return err
}

func (t *trial) end() error {
	var errs []error
	if t.shaper != nil { // First, so that what is left to do is not held up.
		errs = append(errs, t.shaper.Close())
	}
	t.stop()
	if t.node != nil {
		errs = append(errs, t.node.Close())
	}
	if t.inputs != nil {
		errs = append(errs, t.inputs.Close())
	}
	if t.access != nil {
		// The context of a run that was interrupted is of no use here.
		ctx, cancel := context.WithTimeout(context.Background(), readyTime)
		defer cancel()
		errs = append(errs, t.access.Clear(ctx), t.access.Close())
	}
	t.beside.Wait()
	return errors.Join(errs...)
}

// make makes a fault, and reports whether something has come of it.
func (t *trial) make(f *fault) (bool, error) {
	switch f.Kind {
	case faultCrash:
		return t.node.Crash(f.Crash.Workflow, f.Crash.Function), nil
	case faultSlow:
		if t.shaper == nil {
			return false, errors.New("this node's link is not limited")
		}
		return true, t.shaper.Slow(f.Factor)
	case faultCut, faultMend:
		if t.shaper == nil {
			if f.Kind == faultCut {
				t.node.Cut(f.Peer)
			} else {
				t.node.Mend(f.Peer)
			}
			return true, nil
		}
		address, err := netip.ParseAddr(f.Address)
		if err != nil {
			return false, err
		}
		if f.Kind == faultCut {
			return true, t.shaper.Block(address)
		}
		return true, t.shaper.Unblock(address)
	}
	return false, fmt.Errorf("a node cannot make the fault %d", f.Kind)
}

func (t *trial) usage(ctx context.Context) (*Usage, error) {
	u := &Usage{}
	var err error
	u.Received, u.Sent, u.Memory, err = t.access.MemoryTraffic(ctx)
	return u, err
}

// inputs sends what an engine was told.
type inputs struct{ line *line.Line }

// Write implements io.Writer.
func (i inputs) Write(b []byte) (int, error) {
	if err := i.line.Send(&said{Inputs: b}); err != nil {
		return 0, err
	}
	return len(b), nil
}

// Close implements io.Closer.
func (i inputs) Close() error { return nil }

// watcher tells the harness what the node observes. It is an agent.Observer,
// whose callers it does not hold up.
type watcher struct {
	line    *line.Line
	done    sync.WaitGroup
	machine func() int64
	telling sync.Mutex

	mu     sync.Mutex
	seen   []observation
	marked bool // a mark is wanted
	closed bool
	wake   chan struct{} // holds at most one
}

func newWatcher(l *line.Line) *watcher {
	c := clock.New()
	w := &watcher{line: l, wake: make(chan struct{}, 1), machine: func() int64 { return c.Start() + c.Now() }}
	w.done.Go(w.run)
	return w
}

func (w *watcher) see(o observation) {
	w.mu.Lock()
	o.Stamp = w.machine()
	w.seen = append(w.seen, o)
	w.mu.Unlock()
	w.rouse()
}

func (w *watcher) rouse() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// flush has all that has been seen told, and says that it was all.
func (w *watcher) flush() {
	w.mu.Lock()
	w.marked = true
	w.mu.Unlock()
	w.rouse()
}

func (w *watcher) close() {
	w.mu.Lock()
	w.closed = true
	w.mu.Unlock()
	w.rouse()
	w.done.Wait()
}

// run tells what has been seen, until the watcher is closed.
func (w *watcher) run() {
	for range w.wake {
		if w.tell() {
			return
		}
	}
}

// tell tells what has been seen by now, and reports whether the watcher is
// closed.
func (w *watcher) tell() (closed bool) {
	w.telling.Lock() // So that what is seen later is told later.
	defer w.telling.Unlock()
	w.mu.Lock()
	next := said{Seen: w.seen, Mark: w.machine()}
	nothing := len(w.seen) == 0 && !w.marked
	w.seen, w.marked = nil, false
	closed = w.closed
	w.mu.Unlock()
	if !nothing {
		_ = w.line.Send(&next) // Without the harness there is nobody to tell.
	}
	return closed
}

// Admitted implements agent.Observer, as the others do.
func (w *watcher) Admitted(number int64, i engine.Invocation) {
	w.see(observation{Admitted: &admitted{number, i}})
}

func (w *watcher) Sent(m *engine.Message) { w.see(observation{Sent: ownMessage(m)}) }

func (w *watcher) Received(m *engine.Message, sent, at engine.Time) {
	w.see(observation{Received: &received{*ownMessage(m), sent, at}})
}

func (w *watcher) Waited(s *engine.Subject, from, to engine.Time) {
	w.see(observation{Waited: &waited{*s, from, to}})
}

func (w *watcher) Carried(i engine.Invocation, b function.Bytes) {
	w.see(observation{Carried: &carried{i, b}})
}

func (w *watcher) Started(at engine.Time, i engine.Invocation, cold bool) {
	w.see(observation{Started: &started{at, i, cold}})
}

func (w *watcher) Ended(r *agent.Report) {
	own := &ended{Report: *r}
	if r.Err != nil {
		own.Error, own.Report.Err = r.Err.Error(), nil
	}
	w.see(observation{Ended: own})
}

func (w *watcher) Killed(i engine.Invocation) { w.see(observation{Killed: &i}) }

func (w *watcher) Finished(at engine.Time, i engine.Invocation, o engine.Outcome) {
	w.see(observation{Finished: &finished{at, i, o}})
}

func (w *watcher) Failed(err error) { w.see(observation{Failed: err.Error()}) }

func (w *watcher) Broken(err error) { w.see(observation{Broken: err.Error()}) }

func (w *watcher) Chosen(c *chain.Choice, from, to engine.Time, moved function.Bytes) {
	w.see(observation{Chosen: &chosen{*c, from, to, moved}})
}

// ownMessage is a message that outlives the effect that it was.
func ownMessage(m *engine.Message) *engine.Message {
	own := *m
	own.Lost = nil // Which no observer looks at.
	return &own
}
