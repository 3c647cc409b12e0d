// Package subnets finds addresses for the networks of clusters that nobody
// uses.
package subnets

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/bits"
	"net/netip"
	"os"
	"strconv"
	"strings"
)

// All is where the networks of clusters are: RFC 2544 keeps these addresses for
// benchmarks, so that they should be in nobody's office or VPN.
var All = netip.MustParsePrefix("198.18.0.0/15")

// Bits is the length of a cluster's prefix: it has 4,096 addresses.
const Bits = 20

// Count is how many such networks there are.
const Count = 1 << (Bits - 15)

// Use is a network and who uses it.
type Use struct {
	Subnet netip.Prefix
	By     string
}

// Free returns the networks that clusters can have, as far as none of the uses
// has addresses of theirs, and names the users of the others.
func Free(taken []Use) (free []netip.Prefix, users []string) {
	var theirs []netip.Prefix
	for _, u := range taken {
		// Who has a way to more than all of this, such as a default route or half
		// of one, does not mean these addresses.
		if u.Subnet.IsValid() && u.Subnet.Overlaps(All) && u.Subnet.Bits() >= All.Bits() {
			theirs = append(theirs, u.Subnet)
			users = append(users, fmt.Sprintf("%s (%s)", u.By, u.Subnet))
		}
	}
	for i := range Count {
		p := network(i)
		used := false
		for _, t := range theirs {
			used = used || t.Overlaps(p)
		}
		if !used {
			free = append(free, p)
		}
	}
	return free, users
}

// network is one of the networks.
func network(i int) netip.Prefix {
	base := All.Addr().As4()
	n := binary.BigEndian.Uint32(base[:]) + uint32(i)<<(32-Bits)
	var b [4]byte
	binary.BigEndian.PutUint32(b[:], n)
	return netip.PrefixFrom(netip.AddrFrom4(b), Bits)
}

// Routes are the networks that this machine's kernel knows a way to, without
// the default route.
func Routes() ([]Use, error) {
	f, err := os.Open("/proc/net/route")
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil // No Linux: containers are in a machine of their own.
	}
	if err != nil {
		return nil, fmt.Errorf("reading the kernel's routes: %w", err)
	}
	defer f.Close()
	return parse(f)
}

// parse reads /proc/net/route: a head, and lines of the interface, the
// destination, five other fields and the mask. Numbers are hexadecimal, in the
// machine's order of bytes.
func parse(r io.Reader) ([]Use, error) {
	var found []Use
	lines := bufio.NewScanner(r)
	for head := true; lines.Scan(); head = false {
		fields := strings.Fields(lines.Text())
		if head || len(fields) < 8 {
			continue
		}
		destination, err := strconv.ParseUint(fields[1], 16, 32)
		mask, failed := strconv.ParseUint(fields[7], 16, 32)
		if err = errors.Join(err, failed); err != nil {
			return nil, fmt.Errorf("reading the kernel's routes: %w", err)
		}
		if mask == 0 {
			continue
		}
		var b [4]byte
		binary.NativeEndian.PutUint32(b[:], uint32(destination))
		p := netip.PrefixFrom(netip.AddrFrom4(b), bits.OnesCount32(uint32(mask)))
		found = append(found, Use{p.Masked(), "the interface " + fields[0]})
	}
	return found, lines.Err()
}
