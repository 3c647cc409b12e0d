package doctor

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

// benchmarks are the addresses of emulated clusters: RFC 2544 keeps them for
// benchmarks, so that they are in nobody's office or VPN.
var benchmarks = netip.MustParsePrefix("198.18.0.0/15")

// all24 is how many networks of 256 addresses there are in it.
const all24 = 512

// use is a network and who uses it.
type use struct{ subnet, by string }

// room counts the networks /24 of the benchmarks' addresses that nobody uses,
// and names the users of the others.
func room(taken []use) (free int, users []string) {
	var used [all24]bool
	for _, u := range taken {
		p, err := netip.ParsePrefix(u.subnet)
		if err != nil || !p.Overlaps(benchmarks) {
			continue
		}
		users = append(users, u.by+" ("+u.subnet+")")
		for i := range used {
			used[i] = used[i] || p.Overlaps(netip.PrefixFrom(network24(i), 24))
		}
	}
	for _, u := range used {
		if !u {
			free++
		}
	}
	return free, users
}

// network24 is the address of one of the networks.
func network24(i int) netip.Addr {
	base := benchmarks.Addr().As4()
	return netip.AddrFrom4([4]byte{base[0], base[1] + byte(i>>8), byte(i), 0})
}

// routes are the networks that this machine's kernel knows a way to, without
// the default route.
func routes() ([]use, error) {
	f, err := os.Open("/proc/net/route")
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil // No Linux: containers are in a machine of their own.
	}
	if err != nil {
		return nil, fmt.Errorf("reading the kernel's routes: %w", err)
	}
	defer f.Close()
	return parseRoutes(f)
}

// parseRoutes reads /proc/net/route: a head, and lines of the interface, the
// destination, five other fields and the mask. Numbers are hexadecimal, in the
// machine's order of bytes.
func parseRoutes(r io.Reader) ([]use, error) {
	var found []use
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
		found = append(found, use{p.Masked().String(), "the interface " + fields[0]})
	}
	return found, lines.Err()
}
