package htb

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// Shaper limits the bandwidth of one interface. Several goroutines may use it.
type Shaper struct {
	handle   *netlink.Handle
	link     netlink.Link
	limits   Limits
	out, in  *tree
	mu       sync.Mutex
	blocked  map[netip.Addr]uint16 // by filter
	sources  map[netip.Addr]uint16 // by class
	restores []func() error
}

// tree is HTB on one device.
type tree struct {
	handle         *netlink.Handle
	device         netlink.Link
	link, services float64
	// near is the port on the node, far the peer's.
	near, far port
}

// Classes of a tree. Those from classRest on are branches of the link: each has
// its lanes as the classes after it.
const (
	classUnshaped = 0
	classLink     = 1
	classVoid     = 2
	classRest     = 1 * branch
	classServices = 2 * branch
	classSources  = 3 * branch

	branch = 0x20
	lanes  = 16
	// mostSources is how many branches there can be.
	mostSources = 0x10000/branch - 3
)

// Filters are asked in this order, each by its number. The kernel calls it a
// priority, and 0 is none.
const (
	filterBlocked  = 1
	filterARP      = 0x4000
	filterICMP     = 0x4001
	filterControl  = 0x4002 // to and from each port
	filterServices = 0x4010
	filterSources  = 0x8000
	filterRest     = 0xffff
)

const (
	// packet is what the interface sends at a time at most. It is short, as the
	// lanes wait for each other's.
	packet = 8 << 10
	// quantum is what a lane sends in its turn. HTB does not bound the debt of a
	// lane whose packets are longer, so all peers should have a Shaper.
	quantum = 9 << 10
	// burst is how much a limit makes good, in seconds of its rate, if the kernel
	// comes late or others have their turns; after a pause it is credit.
	burst = 3e-3
	// reserved is the rate that a branch or a lane has for itself: none to speak
	// of, so all borrow from the link alike.
	reserved = 1000
	// queue is how long a lane's queue is for what is received, in seconds at the
	// slowest limit. It is some packets at least, or TCP would stall.
	queue         = 5e-3
	framesAtMost  = 1000
	framesAtLeast = 160
	frame         = 1514
)

// Open begins to limit an interface of the network namespace of the calling
// thread. What an earlier Shaper left there is replaced. The Shaper stays with
// that namespace whatever thread uses it. Connections are to be opened after it:
// those that are older send packets that are too long for even shares.
func Open(name string, limits Limits) (*Shaper, error) {
	if err := limits.check(); err != nil {
		return nil, err
	}
	handle, err := netlink.NewHandle(unix.NETLINK_ROUTE)
	if err != nil {
		return nil, fmt.Errorf("the kernel's network configuration cannot be reached: %w", err)
	}
	s := &Shaper{handle: handle, limits: limits, blocked: map[netip.Addr]uint16{}, sources: map[netip.Addr]uint16{}}
	if s.link, err = handle.LinkByName(name); err != nil {
		handle.Close()
		return nil, fmt.Errorf("interface %q: %w", name, err)
	}
	if err := s.install(); err != nil {
		err = fmt.Errorf("bandwidth of %s: %w", name, err)
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// ifb is the name of the device that what an interface receives is led through.
func ifb(link netlink.Link) string { return fmt.Sprintf("ifb-%d", link.Attrs().Index) }

func (s *Shaper) install() error {
	if err := s.remove(); err != nil {
		return explain(err, "what an earlier run left cannot be removed")
	}
	attrs := netlink.NewLinkAttrs()
	attrs.Name, attrs.TxQLen = ifb(s.link), frames(s.limits.LinkIn, s.limits.ServicesIn)
	if err := s.handle.LinkAdd(&netlink.Ifb{LinkAttrs: attrs}); err != nil {
		return explain(err, "an IFB device cannot be made (kernel module ifb)")
	}
	device, err := s.handle.LinkByName(attrs.Name)
	if err != nil {
		return explain(err, "the IFB device is gone")
	}
	if err := s.handle.LinkSetUp(device); err != nil {
		return explain(err, "the IFB device cannot be set up")
	}
	if err := s.adjust(); err != nil {
		return err
	}

	l := s.limits
	s.out = &tree{handle: s.handle, device: s.link, link: l.LinkOut, services: l.ServicesOut, near: sourcePort, far: destinationPort}
	s.in = &tree{handle: s.handle, device: device, link: l.LinkIn, services: l.ServicesIn, near: destinationPort, far: sourcePort}
	for _, t := range []*tree{s.out, s.in} {
		if err := t.install(&l); err != nil {
			return err
		}
	}
	return s.redirect(device)
}

// adjust makes the interface send packets that are short enough, and have a
// queue, which container engines give to none.
func (s *Shaper) adjust() error {
	before := s.link.Attrs()
	if before.GSOMaxSize > packet {
		if err := s.handle.LinkSetGSOMaxSize(s.link, packet); err != nil {
			return explain(err, "packets cannot be made shorter")
		}
		s.restores = append(s.restores, func() error { return s.handle.LinkSetGSOMaxSize(s.link, int(before.GSOMaxSize)) })
	}
	if before.TxQLen < framesAtLeast {
		if err := s.handle.LinkSetTxQLen(s.link, framesAtMost); err != nil {
			return explain(err, "the interface can be given no queue")
		}
		s.restores = append(s.restores, func() error { return s.handle.LinkSetTxQLen(s.link, max(0, before.TxQLen)) })
	}
	return nil
}

// redirect leads what the interface receives through another device.
func (s *Shaper) redirect(device netlink.Link) error {
	at := netlink.QdiscAttrs{LinkIndex: s.link.Attrs().Index, Handle: netlink.MakeHandle(0xffff, 0), Parent: netlink.HANDLE_INGRESS}
	if err := s.handle.QdiscAdd(&netlink.Ingress{QdiscAttrs: at}); err != nil {
		return explain(err, "what is received cannot be caught (kernel module sch_ingress)")
	}
	err := s.handle.FilterAdd(&netlink.U32{
		FilterAttrs: netlink.FilterAttrs{LinkIndex: at.LinkIndex, Parent: at.Handle, Priority: 1, Protocol: unix.ETH_P_ALL},
		Actions:     []netlink.Action{netlink.NewMirredAction(device.Attrs().Index)},
	})
	return explain(err, "what is received cannot be redirected (kernel modules cls_u32, act_mirred)")
}

// install makes a tree without sources and blocked peers.
func (t *tree) install(l *Limits) error {
	root := netlink.NewHtb(netlink.QdiscAttrs{LinkIndex: t.index(), Handle: netlink.MakeHandle(1, 0), Parent: netlink.HANDLE_ROOT})
	root.Defcls = classRest + 1 // What is no IPv4. It has to be a lane.
	unshaped := uint32(framesAtMost)
	root.DirectQlen = &unshaped
	if err := t.handle.QdiscReplace(root); err != nil {
		return explain(err, "HTB cannot be installed (kernel module sch_htb)")
	}
	if err := t.limit(classLink, t.link); err != nil {
		return err
	}
	if err := t.branch(classRest, 0, t.near); err != nil {
		return err
	}
	// Clients of a server are told apart by their own ports.
	if err := t.branch(classServices, t.services, t.far); err != nil {
		return err
	}
	if err := t.limit(classVoid, 0); err != nil {
		return err
	}
	// To the sender what it throws away seems to have been sent.
	if err := t.handle.QdiscAdd(&netlink.GenericQdisc{QdiscAttrs: t.under(classVoid), QdiscType: "blackhole"}); err != nil {
		return explain(err, "packets cannot be thrown away (qdisc blackhole)")
	}
	if err := t.add(t.at(filterARP, unix.ETH_P_ARP), classUnshaped); err != nil {
		return err
	}
	if err := t.filter(filterICMP, classUnshaped, protocol(unix.IPPROTO_ICMP)); err != nil {
		return err
	}
	for i, control := range l.ControlPorts {
		for j, side := range []port{t.near, t.far} {
			if err := t.filter(filterControl+uint16(2*i+j), classUnshaped, tcp, side(control, wholePort)); err != nil {
				return err
			}
		}
	}
	for i, service := range l.ServicePorts {
		if err := t.filter(filterServices+uint16(i), classServices, tcp, t.near(service, wholePort)); err != nil {
			return err
		}
	}
	return t.filter(filterRest, classRest)
}

func (t *tree) index() int { return t.device.Attrs().Index }

func (t *tree) under(class uint16) netlink.QdiscAttrs {
	return netlink.QdiscAttrs{LinkIndex: t.index(), Parent: netlink.MakeHandle(1, class)}
}

func (t *tree) class(class uint16) netlink.ClassAttrs {
	parent := class - class%branch
	switch {
	case class == classLink, class == classVoid:
		parent = 0
	case class == parent:
		parent = classLink
	}
	return netlink.ClassAttrs{LinkIndex: t.index(), Handle: netlink.MakeHandle(1, class), Parent: netlink.MakeHandle(1, parent)}
}

// limit makes a class, or changes its rate while traffic flows.
func (t *tree) limit(class uint16, rate float64) error {
	if rate == 0 {
		rate = unlimited
	}
	// The library takes bits.
	attrs := netlink.HtbClassAttrs{Rate: reserved * 8, Ceil: uint64(rate) * 8, Quantum: quantum, Cbuffer: uint32(max(rate*burst, frame))}
	if class == classLink {
		attrs.Rate, attrs.Buffer = attrs.Ceil, attrs.Cbuffer
	}
	return explain(t.handle.ClassReplace(netlink.NewHtbClass(t.class(class), attrs)), "HTB refuses a class of %g B/s", rate)
}

// branch makes a branch of the link, in whose lanes connections are told apart
// by a port. HTB lets the lanes of all branches take turns.
func (t *tree) branch(class uint16, rate float64, side port) error {
	if err := t.limit(class, rate); err != nil {
		return err
	}
	for i := range uint16(lanes) {
		lane := class + 1 + i
		if err := t.limit(lane, 0); err != nil {
			return err
		}
		if err := t.queue(lane); err != nil {
			return err
		}
		// Linux gives every other port to clients, so the last bit says nothing.
		if err := t.add(t.inBranch(class), lane, side(i<<1, (lanes-1)<<1)); err != nil {
			return err
		}
	}
	return nil
}

// prune removes a branch, as far as it is there.
func (t *tree) prune(class uint16) error {
	err := ignore(t.handle.FilterDel(&netlink.U32{FilterAttrs: t.inBranch(class)}))
	for id := class + lanes; id >= class; id-- {
		c := netlink.NewHtbClass(t.class(id), netlink.HtbClassAttrs{Rate: reserved * 8})
		err = errors.Join(err, ignore(t.handle.ClassDel(c)))
	}
	return explain(err, "a class cannot be removed")
}

func (t *tree) inBranch(class uint16) netlink.FilterAttrs {
	return netlink.FilterAttrs{LinkIndex: t.index(), Parent: netlink.MakeHandle(1, class), Priority: 1, Protocol: unix.ETH_P_IP}
}

// queue gives a lane a queue in which connections take turns, or else a plain
// one as long as the device's.
func (t *tree) queue(class uint16) error {
	err := t.handle.QdiscAdd(netlink.NewFqCodel(t.under(class)))
	if !errors.Is(err, unix.ENOENT) && !errors.Is(err, unix.EOPNOTSUPP) {
		return explain(err, "a class can be given no queue (fq_codel)")
	}
	err = t.handle.QdiscAdd(&netlink.GenericQdisc{QdiscAttrs: t.under(class), QdiscType: "bfifo"})
	return explain(err, "a class can be given no queue (bfifo)")
}

// frames is how many may wait on a link with a cap within it.
func frames(rates ...float64) int {
	n := float64(framesAtMost)
	for _, rate := range rates {
		if rate > 0 {
			n = min(n, rate*queue/frame)
		}
	}
	return max(int(n), framesAtLeast)
}

// Matches of IPv4 packets. Offsets are the headers'.
func protocol(number uint32) nl.TcU32Key {
	return nl.TcU32Key{Off: 8, Mask: 0xff << 16, Val: number << 16}
}
func source(a netip.Addr) nl.TcU32Key { return nl.TcU32Key{Off: 12, Mask: ^uint32(0), Val: number(a)} }
func destination(a netip.Addr) nl.TcU32Key {
	return nl.TcU32Key{Off: 16, Mask: ^uint32(0), Val: number(a)}
}

func number(a netip.Addr) uint32 {
	b := a.As4()
	return binary.BigEndian.Uint32(b[:])
}

// port matches bits of a port of a TCP segment, of an IP header without options:
// Linux sends no others.
type port func(value, mask uint16) nl.TcU32Key

const wholePort = 0xffff

func sourcePort(value, mask uint16) nl.TcU32Key {
	return nl.TcU32Key{Off: 20, Mask: uint32(mask) << 16, Val: uint32(value) << 16}
}
func destinationPort(value, mask uint16) nl.TcU32Key {
	return nl.TcU32Key{Off: 20, Mask: uint32(mask), Val: uint32(value)}
}

var tcp = protocol(unix.IPPROTO_TCP)

// filter sends IPv4 packets that match, or all, to a class.
func (t *tree) filter(filter, class uint16, matches ...nl.TcU32Key) error {
	return t.add(t.at(filter, unix.ETH_P_IP), class, matches...)
}

func (t *tree) add(at netlink.FilterAttrs, class uint16, matches ...nl.TcU32Key) error {
	f := &netlink.U32{FilterAttrs: at, ClassId: netlink.MakeHandle(1, class)}
	if len(matches) > 0 {
		f.Sel = &nl.TcU32Sel{Flags: nl.TC_U32_TERMINAL, Keys: matches}
	}
	return explain(t.handle.FilterAdd(f), "packets cannot be told apart (kernel module cls_u32)")
}

func (t *tree) at(filter, protocol uint16) netlink.FilterAttrs {
	return netlink.FilterAttrs{LinkIndex: t.index(), Parent: netlink.MakeHandle(1, 0), Priority: filter, Protocol: protocol}
}

// drop undoes filter. One that is not there is no error.
func (t *tree) drop(filter uint16) error {
	err := t.handle.FilterDel(&netlink.U32{FilterAttrs: t.at(filter, unix.ETH_P_IP)})
	return explain(ignore(err), "a filter cannot be removed")
}

// LimitSource limits what is sent from an address of the node, within the link,
// from now on; 0 takes the limit away. What waits for it at that moment is lost,
// and TCP sends it again.
func (s *Shaper) LimitSource(address netip.Addr, rate float64) error {
	if err := checkAddress(address); err != nil {
		return err
	}
	if err := checkRate(rate); err != nil {
		return fmt.Errorf("the rate of what %s sends: %w", address, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	n, known := s.sources[address]
	if rate == 0 {
		if !known {
			return nil
		}
		if err := s.dropSource(n); err != nil {
			return fmt.Errorf("the limit of what %s sends: %w", address, err)
		}
		delete(s.sources, address)
		return nil
	}
	if known {
		return s.out.limit(classSources+n*branch, rate)
	}
	n, ok := free(s.sources, mostSources)
	if !ok {
		return fmt.Errorf("no more than %d addresses can be limited", len(s.sources))
	}
	if err := s.addSource(address, n, rate); err != nil {
		return errors.Join(fmt.Errorf("the limit of what %s sends: %w", address, err), s.dropSource(n))
	}
	s.sources[address] = n
	return nil
}

func (s *Shaper) addSource(address netip.Addr, n uint16, rate float64) error {
	class := classSources + n*branch
	if err := s.out.branch(class, rate, s.out.near); err != nil {
		return err
	}
	return s.out.filter(filterSources+n, class, source(address))
}

func (s *Shaper) dropSource(n uint16) error {
	if err := s.out.drop(filterSources + n); err != nil {
		return err
	}
	return s.out.prune(classSources + n*branch)
}

// AddAddress gives the interface one more address, RemoveAddress takes it away.
func (s *Shaper) AddAddress(a netip.Addr) error {
	if err := s.handle.AddrAdd(s.link, one(a)); err != nil && !errors.Is(err, unix.EEXIST) {
		return fmt.Errorf("%s cannot have the address %s: %w", s.link.Attrs().Name, a, err)
	}
	return nil
}

// RemoveAddress takes an address away again.
func (s *Shaper) RemoveAddress(a netip.Addr) error {
	if err := s.handle.AddrDel(s.link, one(a)); err != nil && !errors.Is(err, unix.EADDRNOTAVAIL) {
		return fmt.Errorf("%s keeps the address %s: %w", s.link.Attrs().Name, a, err)
	}
	return nil
}

func one(a netip.Addr) *netlink.Addr {
	return &netlink.Addr{IPNet: &net.IPNet{IP: a.AsSlice(), Mask: net.CIDRMask(a.BitLen(), a.BitLen())}}
}

// Slow divides the rates of the link, not those of caps within it, by a factor;
// 1 restores them. A link without a limit stays without.
func (s *Shaper) Slow(factor float64) error {
	if err := checkFactor(factor); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range []*tree{s.out, s.in} {
		if err := checkRate(t.link / factor); err != nil {
			return fmt.Errorf("a link slowed down %g times: %w", factor, err)
		}
	}
	for _, t := range []*tree{s.out, s.in} {
		if err := t.limit(classLink, t.link/factor); err != nil {
			return err
		}
	}
	return nil
}

// Block loses everything that is sent to a peer's address or comes from it,
// control messages too, without a word to either: connections stall. To block a
// peer again changes nothing.
func (s *Shaper) Block(peer netip.Addr) error {
	if err := checkAddress(peer); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, known := s.blocked[peer]; known {
		return nil
	}
	n, ok := free(s.blocked, filterARP-filterBlocked)
	if !ok {
		return fmt.Errorf("no more than %d peers can be blocked", len(s.blocked))
	}
	err := s.out.filter(filterBlocked+n, classVoid, destination(peer))
	if err == nil {
		err = s.in.filter(filterBlocked+n, classVoid, source(peer))
	}
	if err != nil {
		return errors.Join(fmt.Errorf("peer %s cannot be blocked: %w", peer, err), s.out.drop(filterBlocked+n))
	}
	s.blocked[peer] = n
	return nil
}

// Unblock undoes Block. A peer that is not blocked is left as it is.
func (s *Shaper) Unblock(peer netip.Addr) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	n, known := s.blocked[peer]
	if !known {
		return nil
	}
	if err := errors.Join(s.out.drop(filterBlocked+n), s.in.drop(filterBlocked+n)); err != nil {
		return fmt.Errorf("peer %s is still blocked: %w", peer, err)
	}
	delete(s.blocked, peer)
	return nil
}

// Close takes away all limits and leaves the interface as it was. The Shaper is
// not to be used any more.
func (s *Shaper) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	err := s.remove()
	for _, restore := range s.restores {
		err = errors.Join(err, ignore(restore()))
	}
	s.restores = nil
	s.handle.Close()
	if err != nil {
		return fmt.Errorf("limits of %s are left: %w", s.link.Attrs().Name, err)
	}
	return nil
}

// remove takes away what install makes, as far as it is there.
func (s *Shaper) remove() error {
	index := s.link.Attrs().Index
	qdiscs, err := s.handle.QdiscList(s.link)
	if err != nil {
		return err
	}
	for _, q := range qdiscs {
		at := q.Attrs()
		ours := at.Parent == netlink.HANDLE_ROOT && q.Type() == "htb" || at.Parent == netlink.HANDLE_INGRESS && q.Type() == "ingress"
		if at.LinkIndex == index && ours {
			err = errors.Join(err, ignore(s.handle.QdiscDel(q)))
		}
	}
	device, gone := s.handle.LinkByName(ifb(s.link))
	if gone == nil {
		err = errors.Join(err, s.handle.LinkDel(device))
	}
	return err
}

// free is the lowest number, below an end, that is not taken.
func free(taken map[netip.Addr]uint16, end int) (uint16, bool) {
	used := make(map[uint16]bool, len(taken))
	for _, n := range taken {
		used[n] = true
	}
	for n := range uint16(end) {
		if !used[n] {
			return n, true
		}
	}
	return 0, false
}

func checkAddress(a netip.Addr) error {
	if !a.Is4() {
		return fmt.Errorf("%s is no IPv4 address, as those of emulated nodes are", a)
	}
	return nil
}

// ignore is for what is to be removed and not there.
func ignore(err error) error {
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENODEV) {
		return nil
	}
	return err
}

// explain says what an error means, and what to do if it is one of rights.
func explain(err error, format string, values ...any) error {
	if err == nil {
		return nil
	}
	if errors.Is(err, unix.EPERM) || errors.Is(err, unix.EACCES) {
		return fmt.Errorf("CAP_NET_ADMIN is missing: give the container that capability: %w", err)
	}
	return fmt.Errorf(format+": %w", append(values, err)...)
}
