package services

import (
	"context"
	"net"
	"sync/atomic"
)

// Dial opens a connection to a server. One that limits the rate of its
// connections emulates a slow network.
type Dial func(ctx context.Context, network, address string) (net.Conn, error)

// Direct is the Dial that adds nothing.
func Direct(ctx context.Context, network, address string) (net.Conn, error) {
	var d net.Dialer
	return d.DialContext(ctx, network, address)
}

// Traffic is what an adapter has had to do with its server, in operations and
// bytes. Payload is what functions posted and fetched; stored is what the
// server was given to keep, with checksums and per-message keys; the wire also
// has the protocol and everything that was sent in vain.
type Traffic struct {
	Puts, Gets, Deletes           int64 // operations that succeeded
	PayloadPut, PayloadGot        int64
	StoredPut, StoredGot          int64
	Conflicts, ConflictBytes      int64 // puts that lost against another, and their payload
	DocumentsPut, DocumentsGot    int64
	WireSent, WireReceived        int64
	Connections, ConnectionErrors int64
}

// Meter counts traffic. It may be used by many goroutines, and shared by many
// adapters.
type Meter struct {
	puts, gets, deletes           atomic.Int64
	payloadPut, payloadGot        atomic.Int64
	storedPut, storedGot          atomic.Int64
	conflicts, conflictBytes      atomic.Int64
	documentsPut, documentsGot    atomic.Int64
	wireSent, wireReceived        atomic.Int64
	connections, connectionErrors atomic.Int64
}

// Traffic returns the counts so far.
func (m *Meter) Traffic() Traffic {
	return Traffic{
		Puts: m.puts.Load(), Gets: m.gets.Load(), Deletes: m.deletes.Load(),
		PayloadPut: m.payloadPut.Load(), PayloadGot: m.payloadGot.Load(),
		StoredPut: m.storedPut.Load(), StoredGot: m.storedGot.Load(),
		Conflicts: m.conflicts.Load(), ConflictBytes: m.conflictBytes.Load(),
		DocumentsPut: m.documentsPut.Load(), DocumentsGot: m.documentsGot.Load(),
		WireSent: m.wireSent.Load(), WireReceived: m.wireReceived.Load(),
		Connections: m.connections.Load(), ConnectionErrors: m.connectionErrors.Load(),
	}
}

// Put counts a payload that was stored.
func (m *Meter) Put(payload, stored int64) {
	m.puts.Add(1)
	m.payloadPut.Add(payload)
	m.storedPut.Add(stored)
}

// Got counts a payload that was read.
func (m *Meter) Got(payload, stored int64) {
	m.gets.Add(1)
	m.payloadGot.Add(payload)
	m.storedGot.Add(stored)
}

// Deleted counts objects that were deleted.
func (m *Meter) Deleted(objects int64) { m.deletes.Add(objects) }

// Conflict counts a put that lost against another.
func (m *Meter) Conflict(payload int64) {
	m.conflicts.Add(1)
	m.conflictBytes.Add(payload)
}

// DocumentsPut counts documents written, DocumentsGot documents read.
func (m *Meter) DocumentsPut(n int64) { m.documentsPut.Add(n) }

// DocumentsGot counts documents read.
func (m *Meter) DocumentsGot(n int64) { m.documentsGot.Add(n) }

// Dial returns a Dial that counts what goes over the connections of another
// (nil: [Direct]).
func (m *Meter) Dial(dial Dial) Dial {
	if dial == nil {
		dial = Direct
	}
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := dial(ctx, network, address)
		if err != nil {
			m.connectionErrors.Add(1)
			return nil, err
		}
		m.connections.Add(1)
		return &meteredConn{conn, m}, nil
	}
}

type meteredConn struct {
	net.Conn
	meter *Meter
}

func (c *meteredConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.meter.wireReceived.Add(int64(n))
	return n, err
}

func (c *meteredConn) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	c.meter.wireSent.Add(int64(n))
	return n, err
}
