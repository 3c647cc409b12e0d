package remote

import (
	"context"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"github.com/flowtwin/flowtwin/emu/line"
	"github.com/flowtwin/flowtwin/engine"
	"github.com/flowtwin/flowtwin/engine/workflow"
)

// Node is the harness's end of a connection with a node.
type Node struct {
	*line.Line
	name string
	gone chan struct{} // closed when the connection is

	mu sync.Mutex
	// refused says why the node has taken leave at once, "" if it has not.
	refused string
	// stream takes what the node observes in a trial, inputs what its engine is
	// told, if that is recorded.
	stream  *stream
	inputs  io.Writer
	numbers uint64
	answers map[uint64]chan *answer
	// doomed: that the connection ends is no news.
	doomed bool
}

// Dial connects with a node, which is given a name for errors.
func Dial(ctx context.Context, name, address, token string) (*Node, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("%s cannot be reached: %w", name, err)
	}
	n := &Node{Line: line.New(conn), name: name, gone: make(chan struct{}), answers: map[uint64]chan *answer{}}
	if err := n.Send(&line.Hello{Protocol: protocol, Version: version, Token: token}); err != nil {
		conn.Close()
		return nil, fmt.Errorf("%s cannot be reached: %w", name, err)
	}
	go n.listen()
	return n, nil
}

// listen takes what the node tells until the connection is gone.
func (n *Node) listen() {
	for {
		var next said
		if err := n.Receive(&next); err != nil {
			break
		}
		switch {
		case next.Answer != nil && next.Answer.Number == 0: // Nothing was asked yet.
			n.mu.Lock()
			n.refused = next.Answer.Error
			n.mu.Unlock()
			n.Line.Close() // It ends as well.
		case next.Answer != nil:
			n.mu.Lock()
			waiting := n.answers[next.Answer.Number]
			delete(n.answers, next.Answer.Number)
			n.mu.Unlock()
			if waiting != nil {
				waiting <- next.Answer
			}
		case next.Inputs != nil:
			if _, inputs := n.trial(); inputs != nil {
				_, _ = inputs.Write(next.Inputs) // Its own Close tells.
			}
		default:
			if stream, _ := n.trial(); stream != nil {
				stream.take(&next)
			}
		}
	}
	n.Line.Close()
	n.mu.Lock()
	close(n.gone)
	var err error
	switch {
	case n.refused != "":
		err = n.refusal()
	case !n.doomed:
		err = fmt.Errorf("%s has ended, and not because of a fault", n.name)
	}
	stream := n.stream
	n.mu.Unlock()
	if stream != nil {
		stream.end(err)
	}
}

// trial returns where what the node tells of the present trial goes to.
func (n *Node) trial() (*stream, io.Writer) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.stream, n.inputs
}

// Gone is closed when the node cannot be reached any more.
func (n *Node) Gone() <-chan struct{} { return n.gone }

// Close takes leave of the node, which then ends.
func (n *Node) Close() {
	n.Doom()
	n.Line.Close()
	<-n.gone
}

// Doom says that the node is about to be killed, so that its end is no news;
// Bury that it has been. What it has told by then counts.
func (n *Node) Doom() {
	n.mu.Lock()
	n.doomed = true
	n.mu.Unlock()
}

// Bury returns when nothing comes from the node any more.
func (n *Node) Bury() {
	// Its system may have gone with it, and then nobody ends the connection.
	const patience = 200 * time.Millisecond
	select {
	case <-n.gone:
	case <-time.After(patience):
	}
	n.Close()
}

// ask has the node do something, and waits for its answer.
func (n *Node) ask(ctx context.Context, c *command) (*answer, error) {
	waiting := make(chan *answer, 1)
	n.mu.Lock()
	select {
	case <-n.gone:
		n.mu.Unlock()
		return nil, n.lost(nil)
	default:
	}
	n.numbers++
	c.Number = n.numbers
	n.answers[c.Number] = waiting
	n.mu.Unlock()
	if err := n.Send(c); err != nil {
		<-n.gone // What it has said until then may tell why.
		return nil, n.lost(err)
	}
	select {
	case a := <-waiting:
		if a.Error != "" {
			return nil, fmt.Errorf("%s: %s", n.name, a.Error)
		}
		return a, nil
	case <-n.gone:
		return nil, n.lost(nil)
	case <-ctx.Done():
		return nil, fmt.Errorf("%s does not answer: %w", n.name, ctx.Err())
	}
}

// lost is the error of a node that is gone, with what was noticed of that.
func (n *Node) lost(err error) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	switch {
	case n.refused != "":
		return n.refusal()
	case err != nil:
		return fmt.Errorf("%s is gone: %w", n.name, err)
	}
	return fmt.Errorf("%s is gone", n.name)
}

func (n *Node) refusal() error { return fmt.Errorf("%s refuses this harness: %s", n.name, n.refused) }

// Begin makes the node part of a trial. What it observes goes to a merger, what
// its engine is told to inputs, if that is to be recorded.
func (n *Node) Begin(ctx context.Context, b *Begin, m *Merger, inputs io.Writer) error {
	n.mu.Lock()
	n.stream, n.inputs = m.add(n.mark), inputs
	n.mu.Unlock()
	b.Record = inputs != nil
	_, err := n.ask(ctx, &command{Begin: b})
	return err
}

// Connect connects the node with its peers.
func (n *Node) Connect(ctx context.Context, addresses map[engine.NodeID]string) error {
	all := make([]peer, 0, len(addresses))
	for id, address := range addresses {
		all = append(all, peer{id, address})
	}
	_, err := n.ask(ctx, &command{Connect: all})
	return err
}

// Ready waits until it is connected with all.
func (n *Node) Ready(ctx context.Context) error {
	_, err := n.ask(ctx, &command{Ready: true})
	return err
}

// Start says when the trial starts, by the machine's clock.
func (n *Node) Start(ctx context.Context, at int64) error {
	_, err := n.ask(ctx, &command{Start: at})
	return err
}

// Arrive asks for an invocation. The node must be the gateway.
func (n *Node) Arrive(w engine.WorkflowID, number int64) error {
	return n.Send(&command{Arrive: &arrive{w, number}})
}

// Quiet reports whether nothing is under way on the node.
func (n *Node) Quiet(ctx context.Context) (bool, error) {
	a, err := n.ask(ctx, &command{Quiet: true})
	return err == nil && a.Yes, err
}

// Usage asks what the node's memory says of itself.
func (n *Node) Usage(ctx context.Context) (*Usage, error) {
	a, err := n.ask(ctx, &command{Usage: true})
	if err != nil {
		return nil, err
	}
	if a.Usage == nil {
		return &Usage{}, nil
	}
	return a.Usage, nil
}

// Measure has the node measure what gets to an address or from it, in bytes of
// payload a second.
func (n *Node) Measure(ctx context.Context, p Probe) (float64, error) {
	a, err := n.ask(ctx, &command{Probe: &p})
	if err != nil {
		return 0, err
	}
	return a.Rate, nil
}

// End ends the node's part in the trial.
func (n *Node) End(ctx context.Context) error {
	_, err := n.ask(ctx, &command{End: true})
	return err
}

// Part keeps the node apart from a peer at an address, or ends that.
func (n *Node) Part(ctx context.Context, peer engine.NodeID, address string, apart bool) error {
	kind := faultMend
	if apart {
		kind = faultCut
	}
	_, err := n.ask(ctx, &command{Fault: &fault{Kind: kind, Peer: peer, Address: address}})
	return err
}

// Slow divides the rate of its link.
func (n *Node) Slow(ctx context.Context, factor float64) error {
	_, err := n.ask(ctx, &command{Fault: &fault{Kind: faultSlow, Factor: factor}})
	return err
}

// Crash kills a container that runs a function, and reports whether there was
// one.
func (n *Node) Crash(ctx context.Context, w engine.WorkflowID, f workflow.FunctionID) (bool, error) {
	a, err := n.ask(ctx, &command{Fault: &fault{Kind: faultCrash, Crash: crash{w, f}}})
	return err == nil && a.Yes, err
}

// mark asks the node to tell all that it has seen so far.
func (n *Node) mark() { _ = n.Send(&command{Mark: true}) } // If it is gone, that is noticed.

// Freeze says that the node stands still, so that what it tells is not waited
// for, or goes on.
func (n *Node) Freeze(still bool) {
	if stream, _ := n.trial(); stream != nil {
		stream.freeze(still)
	}
}

// patience is how long what one node has told may wait for what others tell.
const patience = time.Millisecond
