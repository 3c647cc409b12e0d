package access

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/flowtwin/flowtwin/emu/function"
	"github.com/flowtwin/flowtwin/emu/services"
	"github.com/flowtwin/flowtwin/emu/services/broker"
)

// partitions is how many a container's topic has, as in DataFlower's artefact.
const partitions = 8

// MakeTopic makes a container's topic, of which it says the name: it goes with
// [Access.Clear]. number tells it from the node's others.
func (a *Access) MakeTopic(ctx context.Context, number uint64) (name string, err error) {
	name = fmt.Sprintf("%s-%d-%d", a.services.Name, a.node, number)
	if _, err := a.broker.CreateTopic(ctx, name, partitions); err != nil {
		return "", err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.topics = append(a.topics, name)
	return name, nil
}

// Sender is a container's way to the broker, through a topic of its own.
func (a *Access) Sender(topic string) function.Sender {
	return &sender{a, a.broker.Topic(topic, partitions)}
}

type sender struct {
	access *Access
	topic  *broker.Topic
}

// Send implements function.Sender.
func (s *sender) Send(ctx context.Context, k *function.Key, payload []byte, announce func(where []byte)) error {
	var failed error
	_, err := s.topic.Send(ctx, s.access.key(k), int64(len(payload)), bytes.NewReader(payload), func(d broker.Descriptor) {
		where, err := json.Marshal(d)
		if err != nil {
			failed = err
			return
		}
		announce(where)
	})
	return errors.Join(err, failed)
}

// Fetch writes a datum that the broker has, where an announcement says.
func (a *Access) Fetch(ctx context.Context, k *function.Key, where []byte, to io.Writer) error {
	d, err := broker.ParseDescriptor(where)
	if err != nil {
		return err
	}
	if want := a.key(k); d.Key != want {
		return fmt.Errorf("the broker has %s there, not %s: %w", d.Key, want, services.ErrDamaged)
	}
	return a.broker.Fetch(ctx, d, to)
}
