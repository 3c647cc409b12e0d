// Package htb limits the bandwidth of an emulated node by the kernel, in the
// network namespace that the node has for itself.
//
// What the node sends is held back by HTB on its interface. What it receives is
// led through an IFB device first, and held back by HTB there. Either way there
// is a tree:
//
//	unshaped: control messages, what the harness is told, ARP, ICMP
//	link ─┬─ services, with a cap of their own
//	      ├─ a function container, with a cap of its own (only what is sent)
//	      ├─ ...
//	      └─ all else
//	void: what comes from or goes to a blocked peer
//
// A branch of the link has 16 lanes, and a connection keeps to one of them, which
// its port decides. The lanes of all branches take turns. So connections share a
// full link alike but for those that meet in a lane; no branch gets more than its
// cap, and all together get no more than the link. Traffic inside the namespace
// takes the loopback device, and is free.
//
// Rates count bytes on the wire: Ethernet frames with their headers, without
// preamble, checksum and gap. With an MTU of 1500 and TCP timestamps a frame of
// 1514 bytes carries 1448 of payload. The kernel hands frames around in packets
// of many, and counts each at the length of all its frames:
//
//	packet                             payload  counted
//	1 frame                              1,448    1,514
//	5 frames, as a node sends            7,240    7,570
//	44 frames, as strangers may send    63,712   66,616
//	no payload: an acknowledgement           0       66
//
// Everything goes through netlink: no program is run. CAP_NET_ADMIN is enough.
package htb

import (
	"errors"
	"fmt"
	"math"
	"slices"
)

// Limits are rates in bytes on the wire per second, each way; 0 is no limit.
// Others are at least 10 kB/s and at most 100 GB/s.
type Limits struct {
	// LinkOut and LinkIn are the link's, for what is sent and received.
	LinkOut, LinkIn float64
	// ServicesOut and ServicesIn are those of the traffic of servers on the
	// node. They lie within the link.
	ServicesOut, ServicesIn float64
	// ServicePorts are the TCP ports that these servers listen on. Ports from
	// which the kernel takes those of clients (32768 and up) do not do. At most
	// 1000.
	ServicePorts []uint16
	// ControlPorts are TCP ports whose traffic passes unshaped, whoever opened
	// the connection: those that the agents of all nodes listen on. At most 7.
	ControlPorts []uint16
}

const (
	slowest   = 10e3
	unlimited = 100e9
	// ephemeral is the first port that Linux gives to clients.
	ephemeral    = 32768
	mostServices = 1000
	mostControls = 7
)

func (l *Limits) check() error {
	for _, limit := range []struct {
		name string
		rate float64
	}{
		{"the link's rate for what is sent", l.LinkOut}, {"the link's rate for what is received", l.LinkIn},
		{"the services' rate for what is sent", l.ServicesOut}, {"the services' rate for what is received", l.ServicesIn},
	} {
		if err := checkRate(limit.rate); err != nil {
			return fmt.Errorf("%s: %w", limit.name, err)
		}
	}
	if len(l.ControlPorts) > mostControls {
		return fmt.Errorf("agents on %d ports are too many: choose up to %d", len(l.ControlPorts), mostControls)
	}
	if slices.Contains(l.ControlPorts, 0) {
		return errors.New("agents cannot listen on port 0: choose another")
	}
	if len(l.ServicePorts) > mostServices {
		return fmt.Errorf("services on %d ports are too many: choose up to %d", len(l.ServicePorts), mostServices)
	}
	for _, port := range l.ServicePorts {
		if port == 0 || port >= ephemeral || slices.Contains(l.ControlPorts, port) {
			return fmt.Errorf("services cannot be told from other traffic by port %d: choose one between 1 and %d that is not the agents'", port, ephemeral-1)
		}
	}
	return nil
}

// checkRate also refuses NaN.
func checkRate(rate float64) error {
	if rate == 0 || rate >= slowest && rate <= unlimited {
		return nil
	}
	return fmt.Errorf("%g B/s is not a rate that can be kept: choose 0 (unlimited) or %g to %g", rate, slowest, unlimited)
}

func checkFactor(factor float64) error {
	if factor >= 1 && !math.IsInf(factor, 1) {
		return nil
	}
	return fmt.Errorf("a link cannot be slowed down by a factor of %g: choose 1 or more", factor)
}
