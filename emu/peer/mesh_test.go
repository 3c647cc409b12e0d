package peer

import (
	"bufio"
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/flowtwin/flowtwin/emu/wire"
	"github.com/flowtwin/flowtwin/engine"
)

// end of a test's mesh, and what it has been told, in order.
type endpoint struct {
	*Mesh
	mu  sync.Mutex
	log []string
}

func (e *endpoint) note(format string, args ...any) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.log = append(e.log, fmt.Sprintf(format, args...))
}

func (e *endpoint) heard() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.log)
}

func (e *endpoint) waitFor(t *testing.T, what string, n int) {
	t.Helper()
	for until := time.Now().Add(5 * time.Second); ; time.Sleep(time.Millisecond) {
		count := 0
		for _, s := range e.heard() {
			if strings.HasPrefix(s, what) {
				count++
			}
		}
		if count >= n {
			return
		}
		if time.Now().After(until) {
			t.Fatalf("node %d has heard %q %d times, not %d: %v", e.config.Self, what, count, n, e.heard())
		}
	}
}

const token = "a token"

func listen(t *testing.T, self engine.NodeID, address string, boot uint64, detect time.Duration) *endpoint {
	t.Helper()
	e := &endpoint{}
	m, err := Listen(Config{
		Self: self, Token: []byte(token), Boot: boot, Detect: detect,
		Receive: func(from engine.NodeID, message []byte) { e.note("%s", message) },
		Lost:    func(peer engine.NodeID) { e.note("lost %d", peer) },
		Back:    func(peer engine.NodeID) { e.note("back %d", peer) },
	}, address)
	if err != nil {
		t.Fatal(err)
	}
	e.Mesh = m
	t.Cleanup(m.Close)
	return e
}

// pair connects two nodes.
func pair(t *testing.T, detect time.Duration) (a, b *endpoint) {
	t.Helper()
	a, b = listen(t, 0, "127.0.0.1:0", 1, detect), listen(t, 1, "127.0.0.1:0", 1, detect)
	addresses := map[engine.NodeID]string{0: a.Addr(), 1: b.Addr()}
	a.Connect(addresses)
	b.Connect(addresses)
	ready(t, a, b)
	return a, b
}

func ready(t *testing.T, ends ...*endpoint) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	for _, e := range ends {
		if err := e.Ready(ctx); err != nil {
			t.Fatal(err)
		}
	}
}

func send(t *testing.T, from *endpoint, to engine.NodeID, messages ...string) {
	t.Helper()
	for _, m := range messages {
		if err := from.Send(to, []byte(m)); err != nil {
			t.Fatal(err)
		}
	}
}

// Connections break all the time, yet each message comes once and in order.
func TestMessagesComeOnceAndInOrderAlthoughConnectionsBreak(t *testing.T) {
	a, b := pair(t, 5*time.Second)
	const n = 2000
	go func() {
		for range 40 {
			time.Sleep(time.Duration(rand.IntN(3000)) * time.Microsecond)
			a.peers[1].mu.Lock()
			a.peers[1].hangUp()
			a.peers[1].mu.Unlock()
		}
	}()
	for i := range n {
		send(t, a, 1, fmt.Sprintf("m%d", i))
		if i%20 == 0 {
			time.Sleep(time.Millisecond)
		}
	}
	b.waitFor(t, "m", n)
	for i, got := range b.heard() {
		if got != fmt.Sprintf("m%d", i) {
			t.Fatalf("message %d is %q", i, got)
		}
	}
	if len(a.heard()) > 0 {
		t.Errorf("the sender heard %v", a.heard())
	}
}

func TestAShortCutLosesNothing(t *testing.T) {
	a, b := pair(t, 5*time.Second)
	a.Cut(1)
	b.Cut(0)
	send(t, a, 1, "m1", "m2")
	time.Sleep(20 * time.Millisecond)
	if len(b.heard()) > 0 {
		t.Fatalf("%v came through a cut", b.heard())
	}
	a.Mend(1)
	b.Mend(0)
	b.waitFor(t, "m", 2)
	if got := b.heard(); !slices.Equal(got, []string{"m1", "m2"}) {
		t.Errorf("heard %v", got)
	}
}

// A cut that lasts longer than a loss takes to be noticed: both ends learn of
// it, and what was under way is lost.
func TestALongCutIsNoticedAtBothEnds(t *testing.T) {
	const detect = 100 * time.Millisecond
	a, b := pair(t, detect)
	began := time.Now()
	a.Cut(1)
	b.Cut(0)
	send(t, a, 1, "m1")
	a.waitFor(t, "lost 1", 1)
	b.waitFor(t, "lost 0", 1)
	if took := time.Since(began); took < detect/2 || took > 4*detect {
		t.Errorf("noticed after %v, want about %v", took, detect)
	}
	send(t, a, 1, "m2")
	a.Mend(1)
	b.Mend(0)
	a.waitFor(t, "back 1", 1)
	b.waitFor(t, "back 0", 1)
	send(t, a, 1, "m3")
	b.waitFor(t, "m3", 1)
	if got := b.heard(); !slices.Equal(got, []string{"lost 0", "back 0", "m3"}) {
		t.Errorf("heard %v", got)
	}
}

// Only one end has given up: when they meet again, the other is told.
func TestWhoDidNotNoticeALossIsTold(t *testing.T) {
	a, b := pair(t, 5*time.Second)
	send(t, a, 1, "m1")
	b.waitFor(t, "m1", 1)
	p := a.peers[1]
	p.mu.Lock()
	p.mute = true
	p.endSession()
	a.judge(p)
	p.mu.Unlock()
	a.waitFor(t, "back 1", 1)
	b.waitFor(t, "back 0", 1)
	if got := b.heard(); !slices.Equal(got, []string{"m1", "lost 0", "back 0"}) {
		t.Errorf("heard %v", got)
	}
}

// A node that has forgotten everything is lost and back, however quickly it
// returns.
func TestARestartIsALossAndAReturn(t *testing.T) {
	a, b := pair(t, 5*time.Second)
	send(t, a, 1, "m1")
	b.waitFor(t, "m1", 1)
	address := b.Addr()
	b.Close()
	again := listen(t, 1, address, 2, 5*time.Second)
	again.Connect(map[engine.NodeID]string{0: a.Addr(), 1: address})
	a.waitFor(t, "back 1", 1)
	if got := a.heard(); !slices.Equal(got, []string{"lost 1", "back 1"}) {
		t.Errorf("heard %v", got)
	}
	ready(t, a, again)
	send(t, a, 1, "m2")
	again.waitFor(t, "m2", 1)
	if got := again.heard(); !slices.Equal(got, []string{"m2"}) {
		t.Errorf("the node that came back heard %v", got)
	}
}

func TestStrangersAreRefused(t *testing.T) {
	a := listen(t, 0, "127.0.0.1:0", 1, time.Second)
	a.Connect(map[engine.NodeID]string{1: "127.0.0.1:1"})
	good := hello{token: []byte(token), from: 1, to: 0, boot: 1, session: 1}
	other := func(change func(*hello)) []byte {
		h := good
		change(&h)
		return appendHello(nil, &h)
	}
	for name, test := range map[string]struct {
		greeting []byte
		want     string // of the refusal; "": the connection is just closed
	}{
		"another token":      {other(func(h *hello) { h.token = []byte("guessed") }), "its token is another cluster's"},
		"no token":           {other(func(h *hello) { h.token = nil }), "its token is another cluster's"},
		"an unknown node":    {other(func(h *hello) { h.from = 7 }), "node 7 is not among the peers of node 0"},
		"for another node":   {other(func(h *hello) { h.to = 7 }), "node 1 is not among the peers of node 0"},
		"another protocol":   {[]byte("GET / HTTP/1.1\r\n\r\n"), ""},
		"no hello":           {end(begin(nil, frameHeartbeat)), ""},
		"another version":    {changed(appendHello(nil, &good), frameHead+len(magic), wire.Version+1), "it speaks version 3, this node 2: use the same flowtwin on all nodes"},
		"a hello cut short":  {appendCut(appendHello(nil, &good)), "it ends too early"},
		"a hello that is ok": {appendHello(nil, &good), "welcome"},
	} {
		t.Run(name, func(t *testing.T) {
			conn, err := net.Dial("tcp", a.Addr())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			if _, err := conn.Write(test.greeting); err != nil {
				t.Fatal(err)
			}
			_ = conn.SetReadDeadline(time.Now().Add(5 * time.Second))
			var scratch []byte
			kind, content, err := readFrame(bufio.NewReader(conn), &scratch)
			got := string(content)
			switch {
			case err != nil:
				got = ""
			case kind == frameWelcome:
				got = "welcome"
			}
			if got != test.want {
				t.Errorf("answered %q, want %q", got, test.want)
			}
		})
	}
}

func changed(b []byte, at int, to byte) []byte { b[at] = to; return b }

func appendCut(frame []byte) []byte {
	frame = frame[:len(frame)-1]
	binary.BigEndian.PutUint32(frame, uint32(len(frame)-4))
	return frame
}

func FuzzHello(f *testing.F) {
	f.Add(appendHello(nil, &hello{token: []byte(token), from: 1, boot: 5, session: 9})[frameHead:])
	f.Add([]byte("flowtwin"))
	f.Fuzz(func(t *testing.T, data []byte) {
		h, err := readHello(data, []byte(token))
		if err == nil && string(h.token) != token {
			t.Fatalf("%+v may come in", h)
		}
	})
}

func BenchmarkHop(b *testing.B) {
	came := make(chan struct{}, 1)
	listen := func(self engine.NodeID) *Mesh {
		m, err := Listen(Config{
			Self: self, Token: []byte(token), Boot: 1, Detect: 5 * time.Second,
			Receive: func(engine.NodeID, []byte) { came <- struct{}{} }, Lost: func(engine.NodeID) {}, Back: func(engine.NodeID) {},
		}, "127.0.0.1:0")
		if err != nil {
			b.Fatal(err)
		}
		return m
	}
	x, y := listen(0), listen(1)
	defer x.Close()
	defer y.Close()
	addresses := map[engine.NodeID]string{0: x.Addr(), 1: y.Addr()}
	x.Connect(addresses)
	y.Connect(addresses)
	if err := x.Ready(context.Background()); err != nil {
		b.Fatal(err)
	}
	message := make([]byte, 40)
	for b.Loop() {
		_ = x.Send(1, message)
		<-came
	}
}
