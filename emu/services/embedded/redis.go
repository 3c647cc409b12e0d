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

// StartRedis starts a server.
func StartRedis() (*Redis, error) {
	server := miniredis.NewMiniRedis()
	if err := server.StartAddr(loopback); err != nil {
		return nil, fmt.Errorf("starting the embedded Redis: %w", err)
	}
	return &Redis{server, server.Addr()}, nil
}

// Address is the host and port of the server.
func (r *Redis) Address() string { return r.address }

// Served names the server.
func (r *Redis) Served() string { return "miniredis, Redis protocol" }

// Close stops the server; what it held is gone.
func (r *Redis) Close() error {
	r.server.Close()
	return nil
}
