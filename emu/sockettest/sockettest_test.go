package sockettest_test

import (
	"net"
	"os"
	"runtime"
	"strings"
	"testing"

	"github.com/flowtwin/flowtwin/emu/sockettest"
)

func TestSocketsOfThisProcess(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux lists sockets in /proc")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for name, of := range map[string]func() ([]sockettest.Socket, error){
		"own": sockettest.Own, "beside": func() ([]sockettest.Socket, error) { return sockettest.Beside(os.Getpid()) },
	} {
		all, err := of()
		if err != nil {
			t.Fatal(err)
		}
		var text strings.Builder
		for _, s := range all {
			text.WriteString(s.String() + "\n")
		}
		for _, want := range []string{
			"tcp listens on " + l.Addr().String(),
			"tcp " + c.LocalAddr().String() + " speaks with " + l.Addr().String(),
		} {
			if !strings.Contains(text.String(), want) {
				t.Errorf("%s: there is no %q among\n%s", name, want, text.String())
			}
		}
	}
}

// The lines are of a kernel whose processor is little-endian.
func TestForeignSockets(t *testing.T) {
	const rest = " 00000000:00000000 00:00000000 00000000     0        0 77 1 0000000000000000 100 0 0 10 0\n"
	for line, want := range map[string]string{
		"0100007F:1F90 00000000:0000 0A": "",
		"1000 12C6":                      "no address",
		"100012C6:1B9E 00000000:0000 0A": "",
		"100012C6:1B9E 010012C6:8000 01": "",
		"00000000:1F90 00000000:0000 0A": "x listens on 0.0.0.0:8080",
		"00000000000000000000000000000000:1F90 00000000000000000000000000000000:0000 0A": "x listens on [::]:8080",
		"0000000000000000FFFF0000100012C6:1F90 0000000000000000FFFF0000110012C6:0001 01": "",
		"0100007F:1F90 08080808:0035 01":                                                 "x 127.0.0.1:8080 speaks with 8.8.8.8:53",
	} {
		all, err := sockettest.Parse(strings.NewReader("heading\n 0: "+line+rest), "x")
		got := ""
		if err != nil {
			got = err.Error()
		} else if all[0].Foreign() {
			got = all[0].String()
		}
		if got != want && (want == "" || !strings.Contains(got, want)) {
			t.Errorf("%s: got %q, want %q", line, got, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("heading\n 0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 77 1 0 100 0 0 10 0\n")
	f.Add("heading\n 0: 01:1F90\n")
	f.Fuzz(func(t *testing.T, text string) {
		all, err := sockettest.Parse(strings.NewReader(text), "tcp")
		if err == nil {
			for _, s := range all {
				_ = s.Foreign()
				_ = s.String()
			}
		}
	})
}
