package embedded

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"time"

	"github.com/flowtwin/flowtwin/emu/services/couchserver"
)

// loopback lets the system choose a port.
const loopback = "127.0.0.1:0"

// CouchDB is a server of CouchDB's protocol.
type CouchDB struct {
	server   *http.Server
	listener net.Listener
	user     *url.Userinfo
	done     chan error
}

// StartCouchDB starts a server with one administrator.
func StartCouchDB(username, password string) (*CouchDB, error) {
	return StartCouchDBAt(loopback, username, password)
}

// emulated is where emulated clusters are, besides the loopback interface: RFC
// 2544 keeps these addresses for benchmarks, so that they are nobody else's.
var emulated = netip.MustParsePrefix("198.18.0.0/15")

// StartCouchDBAt starts a server with one administrator at an address and
// port. Only addresses of the loopback interface and of emulated clusters are
// taken: the server is no database to be seen by others.
func StartCouchDBAt(address, username, password string) (*CouchDB, error) {
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return nil, fmt.Errorf("%q is no address and port, such as 127.0.0.1:5984", address)
	}
	if ip := at.Addr().Unmap(); !ip.IsLoopback() && !emulated.Contains(ip) {
		return nil, fmt.Errorf("%s: it listens on loopback addresses and in %s only", address, emulated)
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("starting the embedded CouchDB: %w", err)
	}
	c := &CouchDB{
		server: &http.Server{
			Handler: couchserver.New(username, password), ReadHeaderTimeout: time.Minute,
			ErrorLog: log.New(io.Discard, "", 0), // Clients that go away are no news.
		},
		listener: listener, user: url.UserPassword(username, password), done: make(chan error, 1),
	}
	go func() { c.done <- c.server.Serve(listener) }()
	return c, nil
}

// URL is where the server is, with its administrator's name and password.
func (c *CouchDB) URL() string {
	return (&url.URL{Scheme: "http", User: c.user, Host: c.listener.Addr().String(), Path: "/"}).String()
}

// Wait waits until the server has ended by itself, and says why, or until the
// context ends.
func (c *CouchDB) Wait(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return nil
	case err := <-c.done:
		c.done <- err // for Close
		return fmt.Errorf("the embedded CouchDB has ended: %w", err)
	}
}

// Served names the server.
func (c *CouchDB) Served() string { return couchserver.Vendor + " couchserver, CouchDB protocol" }

// Close stops the server; what it held is gone.
func (c *CouchDB) Close() error {
	err := c.server.Close()
	if ended := <-c.done; !errors.Is(ended, http.ErrServerClosed) {
		err = errors.Join(err, ended)
	}
	return err
}
