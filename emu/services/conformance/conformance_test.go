package conformance

import (
	"context"
	"fmt"
	"os"
	"sync/atomic"
	"testing"
	"time"
)

// server is one that the suite is run against.
type server struct {
	address string
	// served is what an adapter must call it; "" if only it knows.
	served string
}

// against runs a suite against the embedded server and, if the variable names
// one, against a real one.
func against(t *testing.T, variable string, embedded func(t *testing.T) server, suite func(t *testing.T, s server)) {
	t.Run("embedded", func(t *testing.T) { suite(t, embedded(t)) })
	t.Run("real", func(t *testing.T) {
		address := os.Getenv(variable)
		if address == "" {
			t.Skipf("%s is not set: no real server was held against the suite", variable)
		}
		suite(t, server{address: address})
	})
}

var names atomic.Int64

// unique returns a name that no other test or run uses.
func unique(prefix string) string {
	return fmt.Sprintf("%s-%d-%d-%d", prefix, os.Getpid(), time.Now().UnixNano(), names.Add(1))
}

func testContext(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// pattern returns n bytes that are not all alike and differ by seed.
func pattern(n int, seed byte) []byte {
	data := make([]byte, n)
	x := uint32(seed) + 1
	for i := range data {
		x = x*1664525 + 1013904223
		data[i] = byte(x >> 24)
	}
	return data
}
