package line

import (
	"bytes"
	"encoding/gob"
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

// pair is a line, both ends of it.
func pair(t *testing.T) (near, far *Line) {
	t.Helper()
	a, b := net.Pipe()
	t.Cleanup(func() {
		a.Close()
		b.Close()
	})
	return New(a), New(b)
}

type message struct {
	Text string
	Data []byte
}

func TestALineCarriesMessagesInOrder(t *testing.T) {
	near, far := pair(t)
	go func() {
		_ = near.Send(&message{Text: "one", Data: make([]byte, 1<<20)})
		_ = near.Send(&message{Text: "two"})
		near.Close()
	}()
	var first, second message
	if err := far.Receive(&first); err != nil || first.Text != "one" || len(first.Data) != 1<<20 {
		t.Errorf("first came %q with %d bytes, %v", first.Text, len(first.Data), err)
	}
	if err := far.Receive(&second); err != nil || second.Text != "two" || second.Data != nil {
		t.Errorf("then came %q with %d bytes, %v", second.Text, len(second.Data), err)
	}
	if err := far.Receive(&message{}); err != io.EOF {
		t.Errorf("at the end comes %v", err)
	}
}

// Only who shows the token is met, and nobody can make the other end keep more
// than a hello.
func TestMeet(t *testing.T) {
	for name, test := range map[string]struct {
		say  any
		want string
	}{
		"who belongs here": {&Hello{Protocol: "p", Version: 1, Token: "token", Number: 7}, ""},
		"another's":        {&Hello{Protocol: "p", Version: 1, Token: "guess"}, "does not know the cluster's token"},
		"without a token":  {&Hello{Protocol: "p", Version: 1, Number: 7}, "does not know the cluster's token"},
		"a long story":     {&Hello{Protocol: strings.Repeat("p", longestHello), Token: "token"}, "longer than 4096 bytes"},
		"something else":   {&message{Text: "hello"}, "does not say who it is"},
		"nothing in time":  {nil, "timeout"},
	} {
		t.Run(name, func(t *testing.T) {
			near, far := pair(t)
			go func() {
				if test.say != nil {
					_ = near.Send(test.say)
				}
			}()
			h, err := far.Meet("token", 100*time.Millisecond)
			switch {
			case test.want == "" && (err != nil || h.Number != 7):
				t.Errorf("%+v, %v", h, err)
			case test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)):
				t.Errorf("error %v, want %q", err, test.want)
			}
		})
	}
}

func TestBothEndsMustSpeakTheSame(t *testing.T) {
	h := Hello{Protocol: "p", Version: 2}
	if err := h.CheckVersion("p", 2); err != nil {
		t.Error(err)
	}
	for _, err := range []error{h.CheckVersion("q", 2), h.CheckVersion("p", 1)} {
		if err == nil || !strings.Contains(err.Error(), "use the same flowtwin everywhere") {
			t.Errorf("error %v", err)
		}
	}
}

// heard is a connection that bytes come from.
type heard struct {
	net.Conn
	from io.Reader
}

func (h *heard) Read(b []byte) (int, error)      { return h.from.Read(b) }
func (h *heard) SetReadDeadline(time.Time) error { return nil }

// Whatever a stranger says, meeting it ends well.
func FuzzMeet(f *testing.F) {
	var b bytes.Buffer
	if err := gob.NewEncoder(&b).Encode(&Hello{Protocol: "p", Version: 1, Token: "token", Number: 7}); err != nil {
		f.Fatal(err)
	}
	f.Add(b.Bytes())
	f.Add([]byte("GET / HTTP/1.0\r\n\r\n"))
	f.Add([]byte{0xfc, 0x7f, 0xff, 0xff, 0xff, 1, 2, 3})
	f.Fuzz(func(t *testing.T, b []byte) {
		h, err := New(&heard{from: bytes.NewReader(b)}).Meet("token", time.Second)
		if (h == nil) == (err == nil) {
			t.Errorf("%v and %v", h, err)
		}
	})
}
