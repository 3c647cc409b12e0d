// Package memory is the data store in a node's memory, over Redis: where
// FaaStore keeps what is read on the same node, and DataFlower what waits for
// its consumers there.
package memory

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"

	"github.com/flowtwin/flowtwin/emu/services"
	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// scanCount is how many keys Redis looks at in one step of a scan.
const scanCount = 1000

// Options say which server to use, and how.
type Options struct {
	// Address is the host and port of the server.
	Address string
	// Namespace begins every key, with a colon behind it, so that many nodes
	// can share one server. It may be empty.
	Namespace string
	// Connections is how many connections there are at most (0: ten for each
	// core).
	Connections int
	// Dial opens connections (nil: nothing is added to them).
	Dial services.Dial
	// Meter counts the traffic (nil: one of the store's own).
	Meter *services.Meter
	// Unasked: it is known that there is a server, which may be out of reach for
	// the moment, and need not be asked what it is.
	Unasked bool
}

// Store keeps objects in the memory of one server. It may be used by many
// goroutines.
type Store struct {
	client    *redis.Client
	namespace string
	meter     *services.Meter
	served    string
	buffers   sync.Pool // *[]byte, for payloads with their checksum
}

// Open connects to a server. An error says that none answers at that address.
func Open(ctx context.Context, o Options) (*Store, error) {
	s := &Store{namespace: o.Namespace, meter: o.Meter}
	if s.meter == nil {
		s.meter = new(services.Meter)
	}
	if s.namespace != "" {
		s.namespace = services.Prefix(s.namespace)
		s.namespace = s.namespace[:len(s.namespace)-1] + ":"
	}
	s.client = redis.NewClient(&redis.Options{
		Addr: o.Address, PoolSize: o.Connections, Dialer: s.meter.Dial(o.Dial),
		DialerRetries: 1, Protocol: 2, DisableIdentity: true, ContextTimeoutEnabled: true,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	})
	if o.Unasked {
		return s, nil
	}
	if err := s.client.Ping(ctx).Err(); err != nil {
		s.client.Close()
		return nil, fmt.Errorf("no Redis answers at %s: %w", o.Address, err)
	}
	s.served = s.identify(ctx)
	return s, nil
}

// identify asks the server for its name and version. What does not say that
// is some server of the protocol.
func (s *Store) identify(ctx context.Context) string {
	info, _ := s.client.Info(ctx, "server").Result()
	fields := parseInfo(info)
	switch {
	case fields["valkey_version"] != "":
		return "Valkey " + fields["valkey_version"]
	case fields["redis_version"] != "":
		return "Redis " + fields["redis_version"]
	}
	return "unnamed server, Redis protocol"
}

// parseInfo reads what INFO answers: a line for each field, name:value.
func parseInfo(text string) map[string]string {
	fields := map[string]string{}
	for line := range strings.Lines(text) {
		name, value, found := strings.Cut(strings.TrimRight(line, "\r\n"), ":")
		if found && !strings.HasPrefix(name, "#") {
			fields[name] = value
		}
	}
	return fields
}

// Served names the server and its version, for example "Redis 7.0.15".
func (s *Store) Served() string { return s.served }

// Traffic returns what has been done with the server so far.
func (s *Store) Traffic() services.Traffic { return s.meter.Traffic() }

// Close ends all connections.
func (s *Store) Close() error { return s.client.Close() }

func (s *Store) name(key services.Key) string { return s.namespace + key.String() }

// Put stores a payload, in the place of what was there. The payload is not
// kept.
func (s *Store) Put(ctx context.Context, key services.Key, payload []byte) error {
	if err := key.Validate(); err != nil {
		return err
	}
	text := key.String()
	trailer := services.Trailer(text, payload)
	buffer, _ := s.buffers.Get().(*[]byte)
	if buffer == nil {
		buffer = new([]byte)
	}
	object := append(append((*buffer)[:0], payload...), trailer[:]...)
	err := s.client.Set(ctx, s.namespace+text, object, 0).Err()
	if err != nil {
		return fmt.Errorf("putting %s into memory: %w", text, err)
	}
	*buffer = object
	s.buffers.Put(buffer)
	s.meter.Put(int64(len(payload)), int64(len(object)))
	return nil
}

// Get returns the payload of an object. The error is [services.ErrNotFound]
// if there is none, [services.ErrDamaged] if it is not what was put.
func (s *Store) Get(ctx context.Context, key services.Key) ([]byte, error) {
	text := key.String()
	object, err := s.client.Get(ctx, s.namespace+text).Bytes()
	if errors.Is(err, redis.Nil) {
		err = services.ErrNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("getting %s from memory: %w", text, err)
	}
	payload, err := services.Open(text, object)
	if err != nil {
		return nil, fmt.Errorf("getting %s from memory: %w", text, err)
	}
	s.meter.Got(int64(len(payload)), int64(len(object)))
	return payload, nil
}

// Delete deletes objects and returns how many there were.
func (s *Store) Delete(ctx context.Context, keys ...services.Key) (int64, error) {
	if len(keys) == 0 {
		return 0, nil
	}
	names := make([]string, len(keys))
	for i, key := range keys {
		names[i] = s.name(key)
	}
	n, err := s.client.Unlink(ctx, names...).Result()
	if err != nil {
		return 0, fmt.Errorf("deleting %d objects from memory: %w", len(keys), err)
	}
	s.meter.Deleted(n)
	return n, nil
}

// DeleteInvocation deletes all objects of an invocation and returns how many
// there were. Redis looks at all its keys for that.
func (s *Store) DeleteInvocation(ctx context.Context, invocation string) (int64, error) {
	if invocation == "" {
		return 0, errors.New("which invocation's objects shall be deleted from memory?")
	}
	return s.deleteAll(ctx, s.namespace+services.Prefix(invocation))
}

// Clear deletes all objects of the namespace and returns how many there were.
// Without a namespace, these are all keys of the server.
func (s *Store) Clear(ctx context.Context) (int64, error) {
	return s.deleteAll(ctx, s.namespace)
}

func (s *Store) deleteAll(ctx context.Context, prefix string) (int64, error) {
	var deleted int64
	err := s.scan(ctx, prefix, func(names []string) error {
		n, err := s.client.Unlink(ctx, names...).Result()
		deleted += n
		return err
	})
	s.meter.Deleted(deleted)
	if err != nil {
		return deleted, fmt.Errorf("deleting from memory all that begins with %q: %w", prefix, err)
	}
	return deleted, nil
}

// scan calls see with the names that begin with a prefix, many at a time. A
// name may come twice.
func (s *Store) scan(ctx context.Context, prefix string, see func(names []string) error) error {
	var cursor uint64
	for {
		names, next, err := s.client.Scan(ctx, cursor, prefix+"*", scanCount).Result()
		if err != nil {
			return err
		}
		if len(names) > 0 {
			if err := see(names); err != nil {
				return err
			}
		}
		if next == 0 {
			return nil
		}
		cursor = next
	}
}

// Usage returns how many objects of the namespace the server holds, and their
// bytes, checksums included. The server itself is asked.
func (s *Store) Usage(ctx context.Context) (objects, bytes int64, err error) {
	sizes := map[string]int64{}
	err = s.scan(ctx, s.namespace, func(names []string) error {
		pipe := s.client.Pipeline()
		lengths := make([]*redis.IntCmd, len(names))
		for i, name := range names {
			lengths[i] = pipe.StrLen(ctx, name)
		}
		if _, err := pipe.Exec(ctx); err != nil {
			return err
		}
		for i, name := range names {
			sizes[name] = lengths[i].Val()
		}
		return nil
	})
	if err != nil {
		return 0, 0, fmt.Errorf("asking Redis what it holds: %w", err)
	}
	for _, size := range sizes {
		bytes += size
	}
	return int64(len(sizes)), bytes, nil
}

// Network returns the bytes that the server has received and sent since it was
// started, by its own count, from everybody. Not every server counts.
func (s *Store) Network(ctx context.Context) (received, sent int64, counted bool, err error) {
	info, err := s.client.Info(ctx, "stats").Result()
	if err != nil {
		return 0, 0, false, fmt.Errorf("asking Redis for its counters: %w", err)
	}
	fields := parseInfo(info)
	received, err1 := strconv.ParseInt(fields["total_net_input_bytes"], 10, 64)
	sent, err2 := strconv.ParseInt(fields["total_net_output_bytes"], 10, 64)
	return received, sent, err1 == nil && err2 == nil, nil
}
