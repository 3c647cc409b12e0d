//go:build !linux

package htb

import (
	"errors"
	"net/netip"
)

var errLinux = errors.New("bandwidth is limited by the kernel on Linux only: run the node in a container")

// Shaper limits the bandwidth of one interface. There is none but on Linux.
type Shaper struct{}

// Open fails.
func Open(string, Limits) (*Shaper, error) { return nil, errLinux }

// LimitSource fails.
func (s *Shaper) LimitSource(netip.Addr, float64) error { return errLinux }

// AddAddress fails.
func (s *Shaper) AddAddress(netip.Addr) error { return errLinux }

// RemoveAddress fails.
func (s *Shaper) RemoveAddress(netip.Addr) error { return errLinux }

// Slow fails.
func (s *Shaper) Slow(float64) error { return errLinux }

// Block fails.
func (s *Shaper) Block(netip.Addr) error { return errLinux }

// Unblock fails.
func (s *Shaper) Unblock(netip.Addr) error { return errLinux }

// Close does nothing.
func (s *Shaper) Close() error { return nil }
