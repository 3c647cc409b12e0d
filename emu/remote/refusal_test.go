package remote

import (
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/flowtwin/flowtwin/emu/line"
)

// A node of another flowtwin says so, and its harness passes that on, whatever
// it asks first.
func TestANodeOfAnotherFlowtwinSaysSo(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- Serve(t.Context(), listener, Config{Token: "secret", Patience: 10 * time.Second}) }()
	conn, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	l := line.New(conn)
	if err := l.Send(&line.Hello{Protocol: protocol, Version: version + 1, Token: "secret"}); err != nil {
		t.Fatal(err)
	}
	var first said
	if err := l.Receive(&first); err != nil || first.Answer == nil || first.Answer.Number != 0 || !strings.Contains(first.Answer.Error, "use the same flowtwin everywhere") {
		t.Errorf("the node says %+v, %v", first, err)
	}
	conn.Close()
	if err := <-served; err == nil {
		t.Error("the node goes on")
	}

	// The other way round: this harness, and a node that refuses it.
	listener, err = net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	go func() {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		l := line.New(conn)
		var h line.Hello
		if l.Receive(&h) == nil {
			_ = l.Send(&said{Answer: &answer{Error: h.CheckVersion(protocol, version+1).Error()}})
			_, _ = io.Copy(io.Discard, conn)
		}
	}()
	n, err := Dial(t.Context(), "node 3", listener.Addr().String(), "secret")
	if err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprintf(`node 3 refuses this harness: it speaks version %d of "node", this end version %d of "node": use the same flowtwin everywhere`, version, version+1)
	for range 2 {
		if err := n.Connect(t.Context(), nil); err == nil || err.Error() != want {
			t.Errorf("the error is %v, want %s", err, want)
		}
	}
}
