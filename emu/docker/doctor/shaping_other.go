//go:build !linux

package doctor

import "errors"

// Apart tries the kernel in a network namespace of its own, which takes root.
func Apart() (Shaping, error) { return Here() }

// Here tries the kernel in the network namespace of this thread.
func Here() (Shaping, error) { return Shaping{}, errors.ErrUnsupported }
