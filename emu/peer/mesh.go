package peer

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/flowtwin/flowtwin/emu/wire"
	"github.com/flowtwin/flowtwin/engine"
)

// Config says who a node is and whom it tells what comes. The functions are
// called by several goroutines, but about one peer by one at a time and in
// order. They must return soon, and not call the mesh.
type Config struct {
	Self engine.NodeID
	// Token is the cluster's: nobody else is listened to. At most 256 bytes.
	Token []byte
	// Boot is another number, not 0, each time the node starts with an empty
	// memory.
	Boot uint64
	// Detect is how long a peer may be silent before it counts as lost.
	Detect time.Duration
	// Receive takes a message, which is valid only during the call.
	Receive func(from engine.NodeID, message []byte)
	// Lost and Back say that a peer counts as lost, and can be reached again.
	Lost, Back func(peer engine.NodeID)
}

// Mesh is a node's connections with its peers.
type Mesh struct {
	config   Config
	listener net.Listener
	ctx      context.Context
	cancel   context.CancelFunc
	running  sync.WaitGroup

	mu        sync.Mutex
	peers     map[engine.NodeID]*peer
	strangers map[net.Conn]bool // connections that have yet to say who they are
}

// peer is another node. Its fields are guarded by mu.
type peer struct {
	id      engine.NodeID
	address string
	mu      sync.Mutex
	boot    uint64 // as far as known
	cut     bool   // by a partition
	frozen  bool
	lost    bool

	// What goes there: the messages of the session that are not acknowledged,
	// of which the first sent have been written to the present connection.
	session uint64
	acked   uint64
	queue   [][]byte
	sent    int
	out     net.Conn
	heard   time.Time // when it last answered
	mute    bool      // it has not answered for too long
	wake    chan struct{}

	// What comes from there.
	theirs uint64 // session
	taken  uint64 // messages of it
	in     net.Conn
	spoken time.Time // when it last said something
	silent bool      // it has said nothing for too long
}

// Listen opens a node's port. Nobody is listened to before Connect.
func Listen(c Config, address string) (*Mesh, error) {
	if c.Boot == 0 || c.Detect <= 0 || len(c.Token) > maxToken {
		return nil, fmt.Errorf("node %d: a boot number, a time to detect losses and a token of at most %d bytes are needed", c.Self, maxToken)
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("node %d cannot listen for its peers: %w", c.Self, err)
	}
	m := &Mesh{config: c, listener: listener, peers: map[engine.NodeID]*peer{}, strangers: map[net.Conn]bool{}}
	m.ctx, m.cancel = context.WithCancel(context.Background())
	return m, nil
}

// Addr is the address that peers connect to.
func (m *Mesh) Addr() string { return m.listener.Addr().String() }

// Connect begins to connect with all peers, for good.
func (m *Mesh) Connect(addresses map[engine.NodeID]string) {
	now := time.Now()
	m.mu.Lock()
	for id, address := range addresses {
		if id != m.config.Self {
			m.peers[id] = &peer{id: id, address: address, session: 1, heard: now, spoken: now, wake: make(chan struct{}, 1)}
		}
	}
	m.mu.Unlock()
	for _, p := range m.peers {
		m.running.Go(func() { m.speak(p) })
	}
	m.running.Go(m.accept)
	m.running.Go(m.watch)
}

// Ready waits until all peers are connected both ways.
func (m *Mesh) Ready(ctx context.Context) error {
	ticker := time.NewTicker(time.Millisecond)
	defer ticker.Stop()
	for _, p := range m.peers {
		for !p.connected() {
			select {
			case <-ticker.C:
			case <-ctx.Done():
				return fmt.Errorf("node %d has no connection with node %d at %s: %w", m.config.Self, p.id, p.address, ctx.Err())
			}
		}
	}
	return nil
}

func (p *peer) connected() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.out != nil && p.in != nil
}

// Send sends a message, soon. What is sent to a peer that counts as lost is
// lost. An unknown peer is an error of the caller's.
func (m *Mesh) Send(to engine.NodeID, message []byte) error {
	p := m.peers[to]
	if p == nil {
		return fmt.Errorf("node %d has no peer %d", m.config.Self, to)
	}
	if len(message) >= maxFrame {
		return fmt.Errorf("a message of %d bytes is too long", len(message))
	}
	frame, at := begin(make([]byte, 0, frameHead+len(message)), frameMessage)
	frame = end(append(frame, message...), at)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.lost {
		return nil
	}
	p.queue = append(p.queue, frame)
	p.rouse()
	return nil
}

func (p *peer) rouse() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// Cut breaks the connections with a peer and makes no new ones, as if the
// network between the two were gone. It is for faults; the other end is to cut
// as well.
func (m *Mesh) Cut(id engine.NodeID) { m.setCut(id, true) }

// Mend undoes Cut.
func (m *Mesh) Mend(id engine.NodeID) { m.setCut(id, false) }

func (m *Mesh) setCut(id engine.NodeID, cut bool) {
	if p := m.peers[id]; p != nil {
		p.mu.Lock()
		p.cut = cut
		if cut {
			p.hangUp()
		}
		p.mu.Unlock()
	}
}

// Freeze makes the node one that nothing is heard of, as a whole, or ends
// that. It is for faults.
func (m *Mesh) Freeze(still bool) {
	for _, p := range m.peers {
		p.mu.Lock()
		p.frozen = still
		if still {
			p.hangUp()
		}
		p.mu.Unlock()
	}
}

// apart reports whether a fault keeps the two nodes apart.
func (p *peer) apart() bool { return p.cut || p.frozen }

// hangUp closes the connections of the moment.
func (p *peer) hangUp() {
	for _, conn := range []net.Conn{p.out, p.in} {
		if conn != nil {
			conn.Close()
		}
	}
	p.out, p.in = nil, nil
}

// Close ends all connections. What has not been sent by then is lost.
func (m *Mesh) Close() {
	m.cancel()
	m.listener.Close()
	m.mu.Lock()
	for conn := range m.strangers {
		conn.Close()
	}
	m.mu.Unlock()
	for _, p := range m.peers {
		p.mu.Lock()
		p.hangUp()
		p.mu.Unlock()
	}
	m.running.Wait()
}

// pulse is how often a peer is shown that this node is alive.
func (m *Mesh) pulse() time.Duration { return max(m.config.Detect/5, time.Millisecond) }

// watch notices who has been silent for too long.
func (m *Mesh) watch() {
	ticker := time.NewTicker(m.pulse() / 2)
	defer ticker.Stop()
	for {
		select {
		case <-m.ctx.Done():
			return
		case now := <-ticker.C:
			for _, p := range m.peers {
				p.mu.Lock()
				if !p.mute && now.Sub(p.heard) > m.config.Detect {
					p.mute = true
					p.endSession()
				}
				if !p.silent && now.Sub(p.spoken) > m.config.Detect {
					p.silent = true
				}
				m.judge(p)
				p.mu.Unlock()
			}
		}
	}
}

// endSession gives up what has not been acknowledged.
func (p *peer) endSession() {
	p.session++
	p.acked, p.sent, p.queue = 0, 0, nil
	if p.out != nil {
		p.out.Close()
		p.out = nil
	}
}

// judge reports a peer if it has been lost or has come back.
func (m *Mesh) judge(p *peer) {
	if is := p.mute || p.silent; is != p.lost {
		p.lost = is
		if is {
			m.config.Lost(p.id)
		} else {
			m.config.Back(p.id)
		}
	}
}

// missed reports a loss that had not been noticed before it was over.
func (m *Mesh) missed(p *peer) {
	if !p.lost {
		p.lost = true
		m.config.Lost(p.id)
	}
}

// reborn takes note of a peer's boot number. If it is another one, the peer
// has forgotten everything.
func (m *Mesh) reborn(p *peer, boot uint64) {
	if p.boot != 0 && p.boot != boot {
		m.missed(p)
		p.endSession()
		p.theirs, p.taken = 0, 0
	}
	p.boot = boot
}

// speak keeps up the connection to a peer.
func (m *Mesh) speak(p *peer) {
	const shortest, longest = time.Millisecond, 100 * time.Millisecond
	dialer := net.Dialer{Timeout: m.config.Detect}
	wait := time.Duration(shortest)
	for m.ctx.Err() == nil {
		if !p.isCut() {
			if conn, err := dialer.DialContext(m.ctx, "tcp", p.address); err == nil {
				if m.converse(p, conn) {
					wait = shortest
				}
				conn.Close()
			}
		}
		select {
		case <-m.ctx.Done():
		case <-time.After(wait):
		}
		wait = min(2*wait, longest)
	}
}

func (p *peer) isCut() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.apart()
}

// converse introduces itself on a new connection and sends what there is
// until the connection breaks. It reports whether it was welcome.
func (m *Mesh) converse(p *peer, conn net.Conn) bool {
	p.mu.Lock()
	session := p.session
	p.mu.Unlock()
	// Closed by whoever breaks off.
	stop := context.AfterFunc(m.ctx, func() { conn.Close() })
	defer stop()
	deadline := time.Now().Add(m.config.Detect)
	_ = conn.SetDeadline(deadline)
	greeting := appendHello(nil, &hello{m.config.Token, m.config.Self, p.id, m.config.Boot, session})
	if _, err := conn.Write(greeting); err != nil {
		return false
	}
	r := bufio.NewReader(conn)
	var scratch []byte
	kind, content, err := readFrame(r, &scratch)
	if err != nil || kind != frameWelcome {
		return false
	}
	answer := wire.NewReader(content)
	boot, taken := answer.Uint(1<<64-1), answer.Uint(1<<64-1)
	if answer.End() != nil || !m.welcomed(p, conn, session, boot, taken) {
		return false
	}
	_ = conn.SetDeadline(time.Time{})
	var reading sync.WaitGroup
	reading.Go(func() {
		m.listenForAcks(p, conn, r)
		conn.Close()
		p.rouse()
	})
	m.write(p, conn)
	conn.Close()
	reading.Wait()
	return true
}

// welcomed takes note of a connection on which the session goes on.
func (m *Mesh) welcomed(p *peer, conn net.Conn, session, boot, taken uint64) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	m.reborn(p, boot)
	if p.session != session || p.apart() || m.ctx.Err() != nil {
		return false
	}
	if taken < p.acked || taken > p.acked+uint64(len(p.queue)) {
		// The peer gave up the session before this end did.
		m.missed(p)
		p.endSession()
		return false
	}
	p.forget(taken)
	p.sent, p.out = 0, conn
	p.heard, p.mute = time.Now(), false
	m.judge(p)
	p.rouse()
	return true
}

// forget drops what has been acknowledged.
func (p *peer) forget(taken uint64) {
	n := int(taken - p.acked)
	clear(p.queue[:n])
	p.queue = p.queue[n:]
	p.sent = max(p.sent-n, 0)
	p.acked = taken
	if len(p.queue) == 0 {
		p.queue = nil
	}
}

// write sends messages, and a heartbeat now and then, until it cannot.
func (m *Mesh) write(p *peer, conn net.Conn) {
	pulse := time.NewTicker(m.pulse())
	defer pulse.Stop()
	var batch []byte
	for {
		batch = batch[:0]
		p.mu.Lock()
		if p.out != conn {
			p.mu.Unlock()
			return
		}
		for _, frame := range p.queue[p.sent:] {
			batch = append(batch, frame...)
		}
		p.sent = len(p.queue)
		p.mu.Unlock()
		if len(batch) == 0 {
			select {
			case <-p.wake:
				continue
			case <-pulse.C:
				batch = end(begin(batch, frameHeartbeat))
			}
		}
		_ = conn.SetWriteDeadline(time.Now().Add(m.config.Detect))
		if _, err := conn.Write(batch); err != nil {
			p.mu.Lock()
			if p.out == conn {
				p.out = nil
			}
			p.mu.Unlock()
			return
		}
	}
}

// listenForAcks reads what the peer answers.
func (m *Mesh) listenForAcks(p *peer, conn net.Conn, r *bufio.Reader) {
	defer func() {
		p.mu.Lock()
		if p.out == conn {
			p.out = nil
		}
		p.mu.Unlock()
	}()
	var scratch []byte
	for {
		kind, content, err := readFrame(r, &scratch)
		if err != nil || kind != frameAck {
			return
		}
		answer := wire.NewReader(content)
		taken := answer.Uint(1<<64 - 1)
		p.mu.Lock()
		if answer.End() != nil || p.out != conn || taken < p.acked || taken > p.acked+uint64(len(p.queue)) {
			p.mu.Unlock()
			return
		}
		p.forget(taken)
		p.heard, p.mute = time.Now(), false
		m.judge(p)
		p.mu.Unlock()
	}
}

// accept takes connections.
func (m *Mesh) accept() {
	for {
		conn, err := m.listener.Accept()
		if err != nil {
			if m.ctx.Err() != nil || errors.Is(err, net.ErrClosed) {
				return
			}
			time.Sleep(time.Millisecond) // Too many files are open, say.
			continue
		}
		m.mu.Lock()
		m.strangers[conn] = true
		m.mu.Unlock()
		m.running.Go(func() {
			m.hear(conn)
			conn.Close()
			m.mu.Lock()
			delete(m.strangers, conn)
			m.mu.Unlock()
		})
		if m.ctx.Err() != nil {
			conn.Close()
		}
	}
}

// hear takes what comes on a connection that a peer has made.
func (m *Mesh) hear(conn net.Conn) {
	_ = conn.SetDeadline(time.Now().Add(m.config.Detect))
	r := bufio.NewReader(conn)
	var scratch []byte
	kind, content, err := readFrame(r, &scratch)
	if err != nil || kind != frameHello {
		return
	}
	h, err := readHello(content, m.config.Token)
	p := m.peers[h.from]
	switch {
	case err != nil:
	case h.to != m.config.Self || p == nil:
		err = fmt.Errorf("node %d is not among the peers of node %d", h.from, m.config.Self)
	}
	if err != nil {
		b, at := begin(nil, frameRefused)
		_, _ = conn.Write(end(append(b, err.Error()...), at))
		return
	}
	taken, ok := m.greeted(p, conn, &h)
	if !ok {
		return
	}
	b, at := begin(nil, frameWelcome)
	b = appendUints(b, m.config.Boot, taken)
	if _, err := conn.Write(end(b, at)); err != nil {
		return
	}
	_ = conn.SetDeadline(time.Time{})
	m.listen(p, conn, r, scratch)
	p.mu.Lock()
	if p.in == conn {
		p.in = nil
	}
	p.mu.Unlock()
}

// greeted takes note of a peer's connection, and returns how many messages of
// its session have come.
func (m *Mesh) greeted(p *peer, conn net.Conn, h *hello) (taken uint64, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.apart() || m.ctx.Err() != nil || h.boot == p.boot && h.session < p.theirs {
		return 0, false
	}
	m.reborn(p, h.boot)
	if h.session != p.theirs {
		if p.theirs != 0 { // Else nothing was meant for this node yet, or for what it was before it started anew.
			m.missed(p)
		}
		p.theirs, p.taken = h.session, 0
	}
	if p.in != nil {
		p.in.Close()
	}
	p.in = conn
	p.spoken, p.silent = time.Now(), false
	m.judge(p)
	return p.taken, true
}

// listen takes messages.
func (m *Mesh) listen(p *peer, conn net.Conn, r *bufio.Reader, scratch []byte) {
	const most = 256 // messages without an ack
	since := 0
	var answer []byte
	for {
		kind, content, err := readFrame(r, &scratch)
		if err != nil || kind != frameMessage && kind != frameHeartbeat {
			return
		}
		p.mu.Lock()
		if p.in != conn {
			p.mu.Unlock()
			return
		}
		p.spoken, p.silent = time.Now(), false
		m.judge(p)
		if kind == frameMessage {
			p.taken++
			since++
			m.config.Receive(p.id, content)
		}
		taken := p.taken
		p.mu.Unlock()
		if kind == frameHeartbeat || since == most {
			since = 0
			answer = appendNumber(answer[:0], frameAck, taken)
			_ = conn.SetWriteDeadline(time.Now().Add(m.config.Detect))
			if _, err := conn.Write(answer); err != nil {
				return
			}
		}
	}
}
