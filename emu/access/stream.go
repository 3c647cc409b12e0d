package access

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/flowtwin/flowtwin/emu/function"
	"github.com/flowtwin/flowtwin/emu/services"
	"github.com/flowtwin/flowtwin/emu/services/broker"
)

// partitions is how many a container's topic has, as in DataFlower's artefact.
const partitions = 8

// Sweep deletes the topics of all nodes of the trial, those included that nodes
// which are no more have made. A broker with much to do may still make some that
// nobody waits for any more, so it is done when there have been none for a while.
func (a *Access) Sweep(ctx context.Context) error {
	if a.broker == nil {
		return nil
	}
	const while, patience, pause = 200 * time.Millisecond, 10 * time.Second, 50 * time.Millisecond
	for began, none := time.Now(), time.Now(); ; {
		all, err := a.broker.Topics(ctx)
		if err != nil {
			return err
		}
		own := slices.DeleteFunc(all, func(name string) bool { return !strings.HasPrefix(name, a.services.Name+"-") })
		if err := a.broker.DeleteTopics(ctx, own...); err != nil {
			return err
		}
		now := time.Now()
		if len(own) > 0 {
			none = now
		}
		switch {
		case now.Sub(none) >= while:
			return nil
		case now.Sub(began) > patience:
			return fmt.Errorf("the broker still has the topics %v", own)
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// MakeTopic makes a container's topic, of which it says the name: it goes with
// [Access.Clear]. number tells it from the node's others.
func (a *Access) MakeTopic(ctx context.Context, number uint64) (name string, err error) {
	name = fmt.Sprintf("%s-%d-%d", a.services.Name, a.node, number)
	reached, done := a.reach(ctx, a.broker)
	defer done()
	if _, err := a.broker.CreateTopic(reached, name, partitions); err != nil {
		return "", within(reached, err)
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
	ctx, done := s.access.reach(ctx, s.access.broker)
	defer done()
	var failed error
	_, err := s.topic.Send(ctx, s.access.key(k), int64(len(payload)), bytes.NewReader(payload), func(d broker.Descriptor) {
		where, err := json.Marshal(d)
		if err != nil {
			failed = err
			return
		}
		announce(where)
	})
	return within(ctx, errors.Join(err, failed))
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
	ctx, done := a.reach(ctx, a.broker)
	defer done()
	return within(ctx, a.broker.Fetch(ctx, d, to))
}
