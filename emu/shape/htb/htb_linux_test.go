package htb

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"math"
	"net"
	"net/netip"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/flowtwin/flowtwin/emu/probe"
	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// payload is what a rate on the wire leaves to payload.
const payload = 1448.0 / 1514

const (
	service = 5984
	control = 7000
	other   = 8000
)

var (
	node      = netip.MustParseAddr("198.18.0.1")
	function1 = netip.MustParseAddr("198.18.0.11")
	function2 = netip.MustParseAddr("198.18.0.12")
	peer      = netip.MustParseAddr("198.18.0.2")
	bystander = netip.MustParseAddr("198.18.0.3")
)

// A path can be filled only by who gets the processor in time, so the tests, which
// need little of it, go before others where they may.
func TestMain(m *testing.M) {
	threads, _ := os.ReadDir("/proc/self/task")
	for _, thread := range threads { // Others are their children.
		if id, err := strconv.Atoi(thread.Name()); err == nil {
			_ = unix.Setpriority(unix.PRIO_PROCESS, id, -19)
		}
	}
	m.Run()
}

// space is a network namespace of the test's own.
type space struct {
	t     *testing.T
	ns    netns.NsHandle
	ports *atomic.Int32 // of its clients, so far
}

// thread runs something on a thread that ends with it, as it is not fit for
// anything else afterwards.
func thread(do func() error) error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread()
		done <- do()
	}()
	return <-done
}

func (s space) do(do func() error) error {
	return thread(func() error {
		if err := netns.Set(s.ns); err != nil {
			return err
		}
		return do()
	})
}

func newSpace(t *testing.T) space {
	t.Helper()
	s := space{t: t, ports: new(atomic.Int32)}
	if err := thread(func() (err error) { s.ns, err = netns.New(); return err }); err != nil {
		t.Skip("network namespaces cannot be made (CAP_SYS_ADMIN, CAP_NET_ADMIN):", err)
	}
	t.Cleanup(func() { s.ns.Close() })
	return s
}

// cable connects the node with its peers, by eth0 at both ends.
func cable(t *testing.T) (here, there space) {
	t.Helper()
	here, there = newSpace(t), newSpace(t)
	attrs := netlink.NewLinkAttrs()
	attrs.Name = "eth0"
	if err := here.do(func() error {
		return netlink.LinkAdd(&netlink.Veth{LinkAttrs: attrs, PeerName: "eth0", PeerNamespace: netlink.NsFd(there.ns)})
	}); err != nil {
		t.Skip("there is no virtual cable (CAP_NET_ADMIN, kernel module veth):", err)
	}
	for _, end := range []space{here, there} {
		// A TCP that has a model of the path's bandwidth, as BBR has, shows its
		// model. Any namespace may choose this one.
		if err := end.do(func() error {
			return os.WriteFile("/proc/sys/net/ipv4/tcp_congestion_control", []byte("reno"), 0o644)
		}); err != nil {
			t.Fatal(err)
		}
	}
	here.address(node, function1, function2)
	there.address(peer, bystander)
	far := there.open(Limits{}) // All nodes of a cluster have one.
	t.Cleanup(func() {
		if err := far.Close(); err != nil {
			t.Error(err)
		}
	})
	return here, there
}

func (s space) address(all ...netip.Addr) {
	s.t.Helper()
	if err := s.do(func() error {
		for _, name := range []string{"lo", "eth0"} {
			link, err := netlink.LinkByName(name)
			if err != nil {
				return err
			}
			if err := netlink.LinkSetUp(link); err != nil {
				return err
			}
			for _, a := range all {
				if name == "lo" {
					continue
				}
				if err := netlink.AddrAdd(link, &netlink.Addr{IPNet: &net.IPNet{IP: a.AsSlice(), Mask: net.CIDRMask(24, 32)}}); err != nil {
					return err
				}
			}
		}
		return nil
	}); err != nil {
		s.t.Fatal(err)
	}
}

func (s space) listen(a netip.Addr, port uint16) net.Listener {
	s.t.Helper()
	var l net.Listener
	if err := s.do(func() (err error) {
		l, err = net.Listen("tcp4", netip.AddrPortFrom(a, port).String())
		return err
	}); err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { l.Close() })
	return l
}

// dial connects from an address. Connections that follow each other take
// different lanes; the kernel gives them ports by chance.
func (s space) dial(from, to netip.Addr, port uint16) func(context.Context) (net.Conn, error) {
	return func(ctx context.Context) (c net.Conn, err error) {
		local := netip.AddrPortFrom(from, uint16(20000+2*s.ports.Add(1)))
		err = s.do(func() (err error) {
			d := net.Dialer{LocalAddr: net.TCPAddrFromAddrPort(local)}
			c, err = d.DialContext(ctx, "tcp4", netip.AddrPortFrom(to, port).String())
			return err
		})
		return c, err
	}
}

func (s space) probe(a netip.Addr, port uint16) {
	s.t.Helper()
	l := s.listen(a, port)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- probe.Serve(ctx, l) }()
	s.t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			s.t.Error(err)
		}
	})
}

func (s space) open(l Limits) *Shaper {
	s.t.Helper()
	var shaper *Shaper
	if err := s.do(func() (err error) { shaper, err = Open("eth0", l); return err }); err != nil {
		s.t.Fatal(err)
	}
	return shaper
}

// path is one way between the node and a peer, and what it is to let through.
type path struct {
	name      string
	dial      func(context.Context) (net.Conn, error)
	direction probe.Direction
	want      float64 // bytes on the wire per second
}

// carry fails unless paths that are filled at the same time let through what is
// wanted, within a fraction. As others use the machine too, one of three
// measurements is to be right.
func carry(t *testing.T, fraction float64, paths ...path) {
	t.Helper()
	for try := 1; ; try++ {
		got, errs := make([]float64, len(paths)), make([]error, len(paths))
		var all sync.WaitGroup
		for i, p := range paths {
			all.Go(func() {
				got[i], errs[i] = probe.Measure(context.Background(), p.dial, p.direction, 700*time.Millisecond)
			})
		}
		all.Wait()
		if err := errors.Join(errs...); err != nil {
			t.Fatal(err)
		}
		right := true
		report := t.Logf
		if try == 3 {
			report = t.Errorf
		}
		for i, p := range paths {
			if off := got[i]/(p.want*payload) - 1; math.Abs(off) > fraction {
				report("measurement %d: %s carries %.2f MB/s of payload, %+.1f %% off", try, p.name, got[i]/1e6, 100*off)
				right = false
			}
		}
		if right || try == 3 {
			return
		}
	}
}

func TestACapCountsBytesOnTheWire(t *testing.T) {
	here, there := cable(t)
	here.probe(node, service)
	shaper := here.open(Limits{ServicesOut: 50e6, ServicesIn: 50e6, ServicePorts: []uint16{9092, service}})
	defer shaper.Close()
	client := there.dial(peer, node, service)
	carry(t, 0.02, path{"the service's egress", client, probe.In, 50e6})
	carry(t, 0.02, path{"the service's ingress", client, probe.Out, 50e6})
	inside, err := probe.Measure(context.Background(), here.dial(function1, node, service), probe.Out, 300*time.Millisecond)
	if err != nil || inside < 2*50e6 {
		t.Errorf("inside the node %.0f B/s, %v, want no limit", inside, err)
	}
}

func TestACapLiesWithinTheLink(t *testing.T) {
	here, there := cable(t)
	here.probe(node, service)
	there.probe(peer, other)
	shaper := here.open(Limits{LinkOut: 60e6, LinkIn: 40e6, ServicesOut: 20e6, ServicesIn: 50e6, ServicePorts: []uint16{service}})
	defer shaper.Close()
	services, rest := there.dial(peer, node, service), here.dial(node, peer, other)
	carry(t, 0.03, path{"the service's egress", services, probe.In, 20e6}, path{"what is left of the link", rest, probe.Out, 40e6})
	// None has a cap below its share.
	carry(t, 0.05,
		path{"the service's ingress", services, probe.Out, 40e6 / 3},
		path{"the rest's ingress", rest, probe.In, 40e6 / 3},
		path{"more of the rest's ingress", rest, probe.In, 40e6 / 3})
	carry(t, 0.02, path{"the service alone", services, probe.Out, 40e6})
}

func TestEachSourceHasACapOfItsOwn(t *testing.T) {
	here, there := cable(t)
	there.probe(peer, other)
	shaper := here.open(Limits{LinkOut: 60e6})
	defer shaper.Close()
	flowing := there.echo(peer, other+1, here, function1)
	limit := func(a netip.Addr, rate float64) {
		t.Helper()
		if err := shaper.LimitSource(a, rate); err != nil {
			t.Fatal(err)
		}
		flowing.works()
	}
	limit(function1, 10e6)
	limit(function2, 40e6)
	limit(function2, 20e6)
	one, two := here.dial(function1, peer, other), here.dial(function2, peer, other)
	carry(t, 0.03,
		path{"the first container", one, probe.Out, 10e6},
		path{"the second container", two, probe.Out, 20e6},
		path{"the node itself", here.dial(node, peer, other), probe.Out, 30e6})
	limit(function1, 0)
	limit(function1, 0)
	carry(t, 0.03,
		path{"the first container without a cap", one, probe.Out, 40e6},
		path{"the second container", two, probe.Out, 20e6})
	limit(function2, 0)
	limit(function2, 5e6) // What was given back can be taken again.
}

// A cap is no use if what it holds back is the message that would end the wait.
func TestControlMessagesPassAFullLink(t *testing.T) {
	here, there := cable(t)
	there.probe(peer, other)
	const harness = control + 1
	shaper := here.open(Limits{LinkOut: 1e6, LinkIn: 1e6, ControlPorts: []uint16{control, harness}})
	defer shaper.Close()
	hears := here.echo(node, control, there, peer)
	obeys := here.echo(node, harness, there, peer)
	speaks := there.echo(peer, control, here, node)
	plain := there.echo(peer, other+1, here, node)
	var all sync.WaitGroup
	for _, direction := range []probe.Direction{probe.Out, probe.In} {
		all.Go(func() {
			if _, err := probe.Measure(context.Background(), here.dial(node, peer, other), direction, 2*time.Second); err != nil {
				t.Error(err)
			}
		})
	}
	time.Sleep(500 * time.Millisecond)
	if took := plain.turn(100_000); took < 100*time.Millisecond {
		t.Errorf("the link is not full: 100 kB there and back take %v", took)
	}
	for name, conversation := range map[string]*echo{"a peer's message": hears, "the harness's": obeys, "a message to a peer": speaks} {
		if took := conversation.turn(100_000); took > 50*time.Millisecond {
			t.Errorf("%s of 100 kB and the answer take %v", name, took)
		}
	}
	if took := here.ping(peer); took > 20*time.Millisecond {
		t.Errorf("a ping takes %v", took)
	}
	all.Wait()
}

func TestASlowLink(t *testing.T) {
	here, there := cable(t)
	there.probe(peer, other)
	shaper := here.open(Limits{LinkOut: 40e6, LinkIn: 40e6})
	defer shaper.Close()
	for _, step := range []struct{ factor, want float64 }{{4, 10e6}, {2.5, 16e6}, {1, 40e6}} {
		if err := shaper.Slow(step.factor); err != nil {
			t.Fatal(err)
		}
		// Each way also carries what acknowledges the other.
		carry(t, 0.04,
			path{"egress", here.dial(node, peer, other), probe.Out, step.want},
			path{"ingress", here.dial(node, peer, other), probe.In, step.want})
	}
}

// A partition gives no sign: nothing is refused, nothing reset.
func TestABlockedPeerFallsSilent(t *testing.T) {
	here, there := cable(t)
	shaper := here.open(Limits{ControlPorts: []uint16{control}})
	defer shaper.Close()
	ours, theirs := there.echo(peer, control, here, node), here.echo(node, control, there, peer)
	others := there.echo(bystander, control, here, node)
	for range 2 {
		for range 2 {
			if err := shaper.Block(peer); err != nil {
				t.Fatal(err)
			}
		}
		ours.stalls()
		theirs.stalls()
		others.works()
		for name, dial := range map[string]func(context.Context) (net.Conn, error){
			"the node": here.dial(node, peer, control), "the peer": there.dial(peer, node, control),
		} {
			ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
			if c, err := dial(ctx); !errors.Is(err, os.ErrDeadlineExceeded) && !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%s dials: %v, %v, want no answer", name, c, err)
			}
			cancel()
		}
		for range 2 {
			if err := shaper.Unblock(peer); err != nil {
				t.Fatal(err)
			}
		}
		ours.resumes()
		theirs.resumes()
	}
}

func TestCloseLeavesTheInterfaceAsItWas(t *testing.T) {
	here, _ := cable(t)
	type state struct {
		links  []string
		qdiscs []string
		gso    uint32
		queue  int
	}
	look := func() (s state) {
		t.Helper()
		if err := here.do(func() error {
			links, err := netlink.LinkList()
			if err != nil {
				return err
			}
			for _, l := range links {
				s.links = append(s.links, l.Attrs().Name)
			}
			eth0, err := netlink.LinkByName("eth0")
			if err != nil {
				return err
			}
			s.gso, s.queue = eth0.Attrs().GSOMaxSize, eth0.Attrs().TxQLen
			qdiscs, err := netlink.QdiscList(eth0)
			for _, q := range qdiscs {
				s.qdiscs = append(s.qdiscs, q.Type())
			}
			slices.Sort(s.qdiscs) // The kernel has no order of its own.
			return err
		}); err != nil {
			t.Fatal(err)
		}
		return s
	}
	same := func(a, b state) bool {
		return slices.Equal(a.links, b.links) && slices.Equal(a.qdiscs, b.qdiscs) && a.gso == b.gso && a.queue == b.queue
	}
	before := look()
	limits := Limits{LinkOut: 10e6, LinkIn: 10e6, ServicesOut: 5e6, ServicePorts: []uint16{service}, ControlPorts: []uint16{control}}
	shaper := here.open(limits)
	during := look()
	if same(before, during) {
		t.Fatalf("nothing was installed: %+v", during)
	}
	for _, err := range []error{shaper.LimitSource(function1, 1e6), shaper.Block(peer), shaper.Slow(2)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := shaper.Close(); err != nil {
		t.Error(err)
	}
	if after := look(); !same(before, after) {
		t.Errorf("before %+v, after %+v", before, after)
	}
	// One that did not come to Close is replaced.
	here.open(limits)
	shaper = here.open(limits)
	if again := look(); !same(during, again) {
		t.Errorf("first %+v, again %+v", during, again)
	}
	if err := shaper.Close(); err != nil {
		t.Error(err)
	}
	if after := look(); len(after.links) != len(before.links) || !slices.Equal(before.qdiscs, after.qdiscs) {
		t.Errorf("before %+v, after two shapers %+v", before, after)
	}
}

func TestWhatIsMissingIsSaid(t *testing.T) {
	here, _ := cable(t)
	open := func(name string, l Limits) error {
		return here.do(func() error {
			s, err := Open(name, l)
			if err == nil {
				err = s.Close()
			}
			return err
		})
	}
	shaper := here.open(Limits{LinkIn: 1e6})
	defer shaper.Close()
	for want, err := range map[string]error{
		`interface "eth7"`:        open("eth7", Limits{}),
		"choose 0 (unlimited)":    open("eth0", Limits{LinkOut: -1}),
		"NaN B/s":                 open("eth0", Limits{ServicesIn: math.NaN()}),
		"by port 40000":           open("eth0", Limits{ServicePorts: []uint16{40000}}),
		"that is not the agents'": open("eth0", Limits{ServicePorts: []uint16{control}, ControlPorts: []uint16{control}}),
		"factor of 0.5":           shaper.Slow(0.5),
		"1000 B/s":                shaper.Slow(1000),
		"port 0":                  open("eth0", Limits{ControlPorts: []uint16{0}}),
		"up to 7":                 open("eth0", Limits{ControlPorts: []uint16{1, 2, 3, 4, 5, 6, 7, 8}}),
		"no IPv4 address":         shaper.Block(netip.MustParseAddr("2001:db8::1")),
		"what 198.18.0.11 sends":  shaper.LimitSource(function1, 1),
		"CAP_NET_ADMIN is missing": here.do(func() error {
			// The thread is not used again.
			none := [2]unix.CapUserData{}
			if err := unix.Capset(&unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}, &none[0]); err != nil {
				return err
			}
			_, err := Open("eth0", Limits{})
			return err
		}),
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want an error that says %q", err, want)
		}
	}
}

// echo is a conversation with a server that says what it hears.
type echo struct {
	t *testing.T
	c net.Conn
}

func (s space) echo(a netip.Addr, port uint16, client space, from netip.Addr) *echo {
	s.t.Helper()
	l := s.listen(a, port)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				_, _ = io.Copy(c, c)
				c.Close()
			}()
		}
	}()
	c, err := client.dial(from, a, port)(context.Background())
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { c.Close() })
	e := &echo{s.t, c}
	e.works()
	return e
}

// turn says so many bytes, and returns how long it took until they came back.
func (e *echo) turn(size int) time.Duration {
	e.t.Helper()
	began := time.Now()
	_ = e.c.SetDeadline(began.Add(10 * time.Second))
	go func() { _, _ = e.c.Write(make([]byte, size)) }()
	if _, err := io.ReadFull(e.c, make([]byte, size)); err != nil {
		e.t.Fatal(err)
	}
	return time.Since(began)
}

func (e *echo) works() {
	e.t.Helper()
	e.turn(1)
}

// stalls says something that is not to be answered.
func (e *echo) stalls() {
	e.t.Helper()
	_ = e.c.SetDeadline(time.Now().Add(200 * time.Millisecond))
	if _, err := e.c.Write([]byte{1}); err != nil {
		e.t.Error(err)
	}
	if _, err := e.c.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		e.t.Errorf("%v, want a connection that stalls", err)
	}
}

// resumes waits for the answer to what was said to no one.
func (e *echo) resumes() {
	e.t.Helper()
	_ = e.c.SetDeadline(time.Now().Add(10 * time.Second))
	if _, err := io.ReadFull(e.c, make([]byte, 1)); err != nil {
		e.t.Error(err)
	}
}

// ping returns how long an ICMP echo takes.
func (s space) ping(to netip.Addr) time.Duration {
	s.t.Helper()
	var c net.Conn
	if err := s.do(func() (err error) { c, err = net.Dial("ip4:icmp", to.String()); return err }); err != nil {
		s.t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(5 * time.Second))
	request := []byte{8, 0, 0, 0, 0, 1, 0, 1}
	binary.BigEndian.PutUint16(request[2:], ^uint16(0x0800+1+1))
	began := time.Now()
	if _, err := c.Write(request); err != nil {
		s.t.Fatal(err)
	}
	if _, err := c.Read(make([]byte, 100)); err != nil {
		s.t.Fatal(err)
	}
	return time.Since(began)
}
