package services

import (
	"bytes"
	"context"
	"errors"
	"net"
	"strings"
	"testing"
)

func TestKeysAreWritten(t *testing.T) {
	for _, test := range []struct {
		key  Key
		text string
	}{
		{Key{"request-1", "split", "0.2", "out"}, "request-1/split/0.2/out"},
		{Key{"request-1", "split", "", "out"}, "request-1/split/-/out"},
		{Key{"a/b", "c d", "", "e+f"}, "a%2Fb/c%20d/-/e%2Bf"},
		{Key{"*?[]", "ä", "-", "."}, "%2A%3F%5B%5D/%C3%A4/%2D/."},
		{Key{"_x", "__y", "", "z_"}, "%5Fx/%5F%5Fy/-/z_"},
	} {
		if got := test.key.String(); got != test.text {
			t.Errorf("%+v is written %q, want %q", test.key, got, test.text)
		}
		if got, err := ParseKey(test.text); got != test.key || err != nil {
			t.Errorf("%q is read as %+v, %v", test.text, got, err)
		}
		if !strings.HasPrefix(test.text, Prefix(test.key.Invocation)) {
			t.Errorf("%q does not begin with %q", test.text, Prefix(test.key.Invocation))
		}
	}
}

func TestKeysThatAreNone(t *testing.T) {
	for _, text := range []string{
		"", "a/b/c", "a/b/c/d/e", "/b/-/d", "a//-/d", "a/b/-/", "a/b//d", "a/b/-/%zz", "a/b/-/%2f", "a/b/-/c d", "_a/b/-/c",
	} {
		if key, err := ParseKey(text); err == nil {
			t.Errorf("%q is read as %+v", text, key)
		}
	}
	for _, key := range []Key{{}, {Function: "f", Output: "o"}, {Invocation: "i", Output: "o"}, {Invocation: "i", Function: "f"}} {
		if key.Validate() == nil {
			t.Errorf("%+v is valid", key)
		}
	}
}

func FuzzParseKey(f *testing.F) {
	f.Add("request-1/split/0.2/out")
	f.Add("a%2Fb/c%20d/-/%5Fe")
	f.Fuzz(func(t *testing.T, text string) {
		key, err := ParseKey(text)
		if err == nil && key.String() != text {
			t.Errorf("%q is read as %+v, which is written %q", text, key, key)
		}
		if err == nil && strings.ContainsAny(text, "*?[]\\ +") {
			t.Errorf("%q has characters that Redis or a URL takes for its own", text)
		}
	})
}

func seal(name string, payload []byte) []byte {
	trailer := Trailer(name, payload)
	return append(bytes.Clone(payload), trailer[:]...)
}

func TestPayloadsAreTheirOwn(t *testing.T) {
	for _, payload := range [][]byte{nil, []byte("x"), bytes.Repeat([]byte("hello"), 1000)} {
		object := seal("name", payload)
		if got, err := Open("name", object); !bytes.Equal(got, payload) || err != nil {
			t.Errorf("%d bytes: got %d, %v", len(payload), len(got), err)
		}
		for i := range len(object) * 8 {
			damaged := bytes.Clone(object)
			damaged[i/8] ^= 1 << (i % 8)
			if _, err := Open("name", damaged); !errors.Is(err, ErrDamaged) {
				t.Fatalf("bit %d of %d bytes is flipped: %v", i, len(payload), err)
			}
		}
		for n := range min(len(object), 20) {
			if _, err := Open("name", object[:n]); !errors.Is(err, ErrDamaged) {
				t.Errorf("only %d bytes are left: %v", n, err)
			}
		}
		if _, err := Open("other", object); !errors.Is(err, ErrDamaged) {
			t.Errorf("it is another's: %v", err)
		}
	}
}

// The form of the trailer is written down in Trailer's comment; CRC-32C of
// "123456789" is 0xe3069283 by the standard's own example.
func TestTrailerIsWhatItsCommentSays(t *testing.T) {
	if got, want := checksumOf("123456789"), uint32(0xe3069283); got != want {
		t.Errorf("checksum %08x, want %08x", got, want)
	}
	got := Trailer("n", []byte("p"))
	sum := checksumOf("n\x00p")
	want := [TrailerSize]byte{'f', 't', 'w', 1, byte(sum >> 24), byte(sum >> 16), byte(sum >> 8), byte(sum)}
	if got != want {
		t.Errorf("trailer % x, want % x", got, want)
	}
}

// checksumOf is CRC-32C bit by bit.
func checksumOf(text string) uint32 {
	sum := ^uint32(0)
	for _, b := range []byte(text) {
		sum ^= uint32(b)
		for range 8 {
			if sum&1 == 1 {
				sum = sum>>1 ^ 0x82f63b78
			} else {
				sum >>= 1
			}
		}
	}
	return ^sum
}

func FuzzOpen(f *testing.F) {
	f.Add("name", seal("name", []byte("payload")))
	f.Add("", []byte("ftw\x01abcd"))
	f.Fuzz(func(t *testing.T, name string, object []byte) {
		payload, err := Open(name, object)
		if err == nil && !bytes.Equal(seal(name, payload), object) {
			t.Errorf("%q was opened, but is not what is sealed", object)
		}
		if err != nil && !errors.Is(err, ErrDamaged) {
			t.Errorf("error %v", err)
		}
	})
}

func TestMeterCountsTheWire(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		conn, err := listener.Accept()
		if err == nil {
			conn.Write([]byte("hello"))
			conn.Close()
		}
	}()
	var m Meter
	dial := m.Dial(nil)
	conn, err := dial(t.Context(), "tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Write([]byte("abc")); err != nil {
		t.Fatal(err)
	}
	var buffer bytes.Buffer
	buffer.ReadFrom(conn) // It may end with a reset, as nobody reads what was written.
	conn.Close()
	listener.Close()
	if _, err := dial(context.Background(), "tcp", listener.Addr().String()); err == nil {
		t.Error("nobody listens, but somebody answers")
	}
	want := Traffic{WireSent: 3, WireReceived: 5, Connections: 1, ConnectionErrors: 1}
	if got := m.Traffic(); got != want {
		t.Errorf("traffic %+v, want %+v", got, want)
	}
}

func BenchmarkTrailer(b *testing.B) {
	payload := make([]byte, 1<<20)
	b.SetBytes(int64(len(payload)))
	for b.Loop() {
		Trailer("request/split/-/out", payload)
	}
}
