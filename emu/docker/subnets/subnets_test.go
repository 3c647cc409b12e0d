package subnets

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"strings"
	"testing"
)

func TestUsedNetworksAreNotFree(t *testing.T) {
	for _, test := range []struct {
		name  string
		taken []string
		free  int
		first string
		users int
	}{
		{"nothing", nil, 32, "198.18.0.0/20", 0},
		{"others", []string{"10.0.0.0/8", "198.17.0.0/16", "198.20.0.0/24", "fd00::/8", ""}, 32, "198.18.0.0/20", 0},
		{"the first", []string{"198.18.0.0/20"}, 31, "198.18.16.0/20", 1},
		{"the last", []string{"198.19.255.0/24"}, 31, "198.18.0.0/20", 1},
		{"part of one", []string{"198.18.7.128/25"}, 31, "198.18.16.0/20", 1},
		{"twice the same", []string{"198.18.7.0/24", "198.18.7.0/30"}, 31, "198.18.16.0/20", 2},
		{"half, as a VPN may", []string{"198.18.0.0/16"}, 16, "198.19.0.0/20", 1},
		{"all", []string{"198.18.0.0/15"}, 0, "", 1},
		{"half of the world, which goes to a VPN", []string{"128.0.0.0/1"}, 32, "198.18.0.0/20", 0},
	} {
		var taken []Use
		for _, subnet := range test.taken {
			p, _ := netip.ParsePrefix(subnet) // One is none.
			taken = append(taken, Use{p, "somebody"})
		}
		free, users := Free(taken)
		if len(free) != test.free || len(users) != test.users || len(free) > 0 && free[0].String() != test.first {
			t.Errorf("%s: %v are free, used by %q; want %d from %s on and %d users", test.name, free, users, test.free, test.first, test.users)
		}
	}
}

// routeLine is a line of the kernel's table.
func routeLine(device string, destination, mask [4]byte) string {
	return fmt.Sprintf("%s\t%08X\t00000000\t0001\t0\t0\t0\t%08X\t0\t0\t0\n", device, binary.NativeEndian.Uint32(destination[:]), binary.NativeEndian.Uint32(mask[:]))
}

func TestTheKernelsRoutesAreRead(t *testing.T) {
	const head = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n"
	text := head + routeLine("eth0", [4]byte{}, [4]byte{}) + routeLine("vpn0", [4]byte{198, 18, 4, 0}, [4]byte{255, 255, 252, 0}) + "\n"
	got, err := parse(strings.NewReader(text))
	if err != nil || len(got) != 1 || got[0] != (Use{netip.MustParsePrefix("198.18.4.0/22"), "the interface vpn0"}) {
		t.Errorf("%+v, %v; want the one of vpn0, without the default route", got, err)
	}
	if got, err := parse(strings.NewReader(head + "eth0\tXYZ\t0\t0\t0\t0\t0\t0\n")); err == nil {
		t.Errorf("a broken line is read as %+v", got)
	}
}

func FuzzParse(f *testing.F) {
	f.Add("head\n" + routeLine("vpn0", [4]byte{198, 18, 4, 0}, [4]byte{255, 255, 252, 0}))
	f.Add("head\nx 0 0 0 0 0 0 FFFFFFFF")
	f.Fuzz(func(t *testing.T, text string) {
		taken, err := parse(strings.NewReader(text))
		if err != nil {
			return
		}
		if free, users := Free(taken); len(free) < Count && len(users) == 0 {
			t.Errorf("%q leaves %d networks, and nobody has the others", text, len(free))
		}
	})
}
