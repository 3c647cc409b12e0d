// Package sockettest looks at the sockets of processes, so that tests can see
// whom an emulated cluster listens for and speaks with.
package sockettest

import (
	"bufio"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// emulated are the addresses of emulated networks.
var emulated = netip.MustParsePrefix("198.18.0.0/15")

// Socket is one of TCP or UDP.
type Socket struct {
	Protocol string // tcp, tcp6, udp or udp6
	// Remote is 0.0.0.0:0 or its like of one that listens.
	Local, Remote netip.AddrPort
	Listens       bool
	inode         string
}

func (s Socket) String() string {
	if s.Listens {
		return fmt.Sprintf("%s listens on %s", s.Protocol, s.Local)
	}
	return fmt.Sprintf("%s %s speaks with %s", s.Protocol, s.Local, s.Remote)
}

// Foreign reports whether the socket can reach, or be reached by, anything but
// loopback and emulated networks.
func (s Socket) Foreign() bool {
	return !inside(s.Local.Addr()) || !s.Listens && !inside(s.Remote.Addr())
}

func inside(a netip.Addr) bool { return a.IsLoopback() || emulated.Contains(a) }

// Beside returns the sockets of the network that a process is in, whoever has
// them.
func Beside(process int) ([]Socket, error) {
	var all []Socket
	for _, protocol := range [...]string{"tcp", "tcp6", "udp", "udp6"} {
		file, err := os.Open(fmt.Sprintf("/proc/%d/net/%s", process, protocol))
		if errors.Is(err, os.ErrNotExist) && strings.HasSuffix(protocol, "6") {
			continue // There is no IPv6.
		}
		if err != nil {
			return nil, err
		}
		some, err := Parse(file, protocol)
		file.Close()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file.Name(), err)
		}
		all = append(all, some...)
	}
	return all, nil
}

// Own returns the sockets of this process.
func Own() ([]Socket, error) {
	all, err := Beside(os.Getpid())
	if err != nil {
		return nil, err
	}
	files, err := filepath.Glob("/proc/self/fd/*")
	if err != nil {
		return nil, err
	}
	own := map[string]bool{}
	for _, file := range files {
		target, _ := os.Readlink(file) // It may have been closed meanwhile.
		if inode, ok := strings.CutPrefix(target, "socket:["); ok {
			own[strings.TrimSuffix(inode, "]")] = true
		}
	}
	return slices.DeleteFunc(all, func(s Socket) bool { return !own[s.inode] }), nil
}

// Parse reads a table of the kernel's, such as /proc/net/tcp.
func Parse(r io.Reader, protocol string) ([]Socket, error) {
	var all []Socket
	lines := bufio.NewScanner(r)
	lines.Scan() // the heading
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		if len(fields) < 10 {
			return nil, fmt.Errorf("%q is no line of a socket", lines.Text())
		}
		s := Socket{Protocol: protocol, inode: fields[9]}
		var err error
		if s.Local, err = address(fields[1]); err != nil {
			return nil, err
		}
		if s.Remote, err = address(fields[2]); err != nil {
			return nil, err
		}
		// What has no peer waits for one.
		s.Listens = s.Remote.Port() == 0
		all = append(all, s)
	}
	return all, lines.Err()
}

// address parses an address and a port in hexadecimal digits, the address in
// words of the machine's own order.
func address(text string) (netip.AddrPort, error) {
	host, port, _ := strings.Cut(text, ":")
	raw, err := hex.DecodeString(host)
	if err != nil || len(raw) != 4 && len(raw) != 16 {
		return netip.AddrPort{}, fmt.Errorf("%q is no address of a socket", text)
	}
	for i := 0; i < len(raw); i += 4 {
		binary.NativeEndian.PutUint32(raw[i:], binary.BigEndian.Uint32(raw[i:]))
	}
	number, err := strconv.ParseUint(port, 16, 16)
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("%q is no port of a socket: %w", text, err)
	}
	a, _ := netip.AddrFromSlice(raw)
	return netip.AddrPortFrom(a.Unmap(), uint16(number)), nil
}
