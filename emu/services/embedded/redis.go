package embedded

import (
	"fmt"

	"github.com/alicebob/miniredis/v2"
)

// Redis is a server of Redis's protocol.
type Redis struct {
	server  *miniredis.Miniredis
	address string // which the server forgets when it stops
}

// StartRedis starts a server at an address, or on a port that the system
// chooses if that is empty.
func StartRedis(address string) (*Redis, error) {
	if address == "" {
		address = loopback
	}
	server := miniredis.NewMiniRedis()
	if err := server.StartAddr(address); err != nil {
		return nil, fmt.Errorf("starting the embedded Redis: %w", err)
	}
	return &Redis{server, server.Addr()}, nil
}

// Address is the host and port of the server.
func (r *Redis) Address() string { return r.address }

// Served names the server.
func (r *Redis) Served() string { return "miniredis, Redis protocol" }

// Empty deletes all that the server holds.
func (r *Redis) Empty() { r.server.FlushAll() }

// Close stops the server; what it held is gone.
func (r *Redis) Close() error {
	r.server.Close()
	return nil
}
