package local

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"sync/atomic"

	"github.com/flowtwin/flowtwin/emu/function"
	"github.com/flowtwin/flowtwin/emu/services"
	"github.com/flowtwin/flowtwin/emu/services/broker"
	"github.com/flowtwin/flowtwin/emu/sink"
)

// topics counts the topics of a trial, which need different names.
type topics struct{ made atomic.Int64 }

// partitions is how many a container's topic has, as in DataFlower's artefact.
const partitions = 8

// sender is a container's way to the broker: a topic of its own.
type sender struct {
	access *access
	topic  *broker.Topic
}

// newSender makes a container's topic. It goes with the trial.
func (a *access) newSender(ctx context.Context) (*sender, error) {
	if a.broker == nil {
		return nil, nil
	}
	name := a.servers.name + "-" + strconv.FormatInt(a.servers.topics.made.Add(1), 10)
	topic, err := a.broker.CreateTopic(ctx, name, partitions)
	if err != nil {
		return nil, err
	}
	a.mu.Lock()
	a.topics = append(a.topics, name)
	a.mu.Unlock()
	return &sender{a, topic}, nil
}

// Send implements function.Sender.
func (s *sender) Send(ctx context.Context, k *function.Key, payload []byte, announce func(where []byte)) error {
	var failed error
	_, err := s.topic.Send(ctx, s.access.servers.key(k), int64(len(payload)), bytes.NewReader(payload), func(d broker.Descriptor) {
		where, err := json.Marshal(d)
		if err != nil {
			failed = err
			return
		}
		announce(where)
	})
	return errors.Join(err, failed)
}

// streamed is where streamed data arrive on a node.
type streamed struct {
	*sink.Sink
	access *access
}

// Prefetch implements agent.Data.
func (s streamed) Prefetch(ctx context.Context, k *function.Key, where []byte) (int64, error) {
	d, err := broker.ParseDescriptor(where)
	if err != nil {
		return 0, err
	}
	if want := s.access.servers.key(k); d.Key != want {
		return 0, fmt.Errorf("the broker has %s there, not %s: %w", d.Key, want, services.ErrDamaged)
	}
	return s.Write(k, func(to io.Writer) error { return s.access.broker.Fetch(ctx, d, to) })
}

// Spill implements agent.Data.
func (s streamed) Spill(ctx context.Context, k *function.Key) error {
	memory := local{s.access}
	payload, err := memory.Get(ctx, k)
	if errors.Is(err, function.ErrMissing) {
		return nil // It has been dropped meanwhile.
	}
	if err != nil {
		return err
	}
	if _, err := s.Write(k, func(to io.Writer) error {
		_, err := to.Write(payload)
		return err
	}); err != nil {
		return err
	}
	return memory.delete(ctx, k)
}

// Drop implements agent.Data.
func (s streamed) Drop(ctx context.Context, k *function.Key) error {
	return errors.Join(s.Sink.Drop(k), local{s.access}.delete(ctx, k))
}
