package embedded

import (
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
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
	listener, err := net.Listen("tcp", loopback)
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
