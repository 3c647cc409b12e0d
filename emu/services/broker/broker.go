// Package broker is the pipe that streams data between nodes, over Kafka, as
// DataFlower has it: each function container has a topic of its own, a datum
// is sent in chunks, and its consumers' nodes read it while it is still being
// sent.
//
// A chunk is one message: its key is the datum's key, a # and the chunk's
// index, its value the bytes and their checksum. Nobody else writes into a
// container's topic, and a datum's chunks are adjacent in one partition.
package broker

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/flowtwin/flowtwin/emu/services"
	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
)

// DefaultChunk is how many bytes a chunk has at most unless told, as in
// DataFlower's artefact.
const DefaultChunk = 256 << 10

const (
	// overhead is more than what a message has beside its chunk, in bytes.
	overhead = 4 << 10
	// patience is how long a partition may have no leader, or not be known to
	// the broker that is asked, before that is an error.
	patience = 3 * time.Second
	// pause is between two attempts meanwhile.
	pause = 10 * time.Millisecond
)

// Options say which brokers to use, and how.
type Options struct {
	// Brokers are hosts and ports; the others of the cluster are learnt from
	// them.
	Brokers []string
	// Chunk is how many bytes a chunk has at most (0: DefaultChunk).
	Chunk int
	// Dial opens connections (nil: nothing is added to them).
	Dial services.Dial
	// Meter counts the traffic (nil: one of the broker's own).
	Meter *services.Meter
	// Unasked: it is known that there is a cluster, which may be out of reach for
	// the moment, and need not be asked what it is.
	Unasked bool
}

// Broker is a Kafka cluster. It may be used by many goroutines.
type Broker struct {
	brokers   []string
	chunk     int
	dial      services.Dial
	meter     *services.Meter
	client    *kafka.Client
	transport *kafka.Transport
	served    string
}

// Open connects to a cluster. An error says that none answers.
func Open(ctx context.Context, o Options) (*Broker, error) {
	if len(o.Brokers) == 0 {
		return nil, errors.New("no address of a Kafka broker is given")
	}
	if o.Chunk < 0 {
		return nil, fmt.Errorf("chunks of %d bytes cannot be", o.Chunk)
	}
	b := &Broker{brokers: o.Brokers, chunk: o.Chunk, meter: o.Meter}
	if b.chunk == 0 {
		b.chunk = DefaultChunk
	}
	if b.meter == nil {
		b.meter = new(services.Meter)
	}
	b.dial = b.meter.Dial(o.Dial)
	if !o.Unasked {
		served, err := b.identify(ctx)
		if err != nil {
			return nil, fmt.Errorf("no Kafka answers at %v: %w", o.Brokers, err)
		}
		b.served = served
	}
	b.transport = &kafka.Transport{
		ClientID: clientID, MetadataTTL: time.Minute, // When a topic is not known, we ask.
		Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
			return b.dial(ctx, network, address)
		},
	}
	b.client = &kafka.Client{Addr: kafka.TCP(o.Brokers...), Transport: b.transport}
	return b, nil
}

// Served names the server and its version, for example "Kafka 4.1".
func (b *Broker) Served() string { return b.served }

// Ping returns an error if no broker answers.
func (b *Broker) Ping(ctx context.Context) error {
	_, err := b.identify(ctx)
	return err
}

// Traffic returns what has been done with the cluster so far. An operation is
// a datum, not a chunk.
func (b *Broker) Traffic() services.Traffic { return b.meter.Traffic() }

// Close ends all connections.
func (b *Broker) Close() error {
	b.transport.CloseIdleConnections()
	return nil
}

// CreateTopic makes a topic and returns it for writing.
func (b *Broker) CreateTopic(ctx context.Context, name string, partitions int) (*Topic, error) {
	if !validTopic(name) || partitions < 1 {
		return nil, fmt.Errorf("there cannot be a topic %q of %d partitions", name, partitions)
	}
	if err := b.create(ctx, name, partitions); err != nil {
		return nil, fmt.Errorf("making the topic %s: %w", name, err)
	}
	return b.Topic(name, partitions), nil
}

// Topic returns a topic that there is, for writing. It is meant for one writer:
// a second would mix its chunks with those of the first.
func (b *Broker) Topic(name string, partitions int) *Topic {
	t := &Topic{broker: b, name: name, partitions: make([]chan struct{}, partitions)}
	for i := range t.partitions {
		t.partitions[i] = make(chan struct{}, 1)
	}
	return t
}

// DeleteTopics deletes topics with all that is in them. It is no error if
// there is none of a name.
func (b *Broker) DeleteTopics(ctx context.Context, names ...string) error {
	if len(names) == 0 {
		return nil
	}
	answer, err := b.client.DeleteTopics(ctx, &kafka.DeleteTopicsRequest{Topics: names})
	if err != nil {
		return fmt.Errorf("deleting %d topics: %w", len(names), err)
	}
	for _, name := range names {
		if err := answer.Errors[name]; err != nil && !errors.Is(err, kafka.UnknownTopicOrPartition) {
			return fmt.Errorf("deleting the topic %s: %w", name, err)
		}
	}
	return nil
}

// refresh has the client learn anew which topics there are and who leads
// them. The library does so after every creation of topics, even of none.
func (b *Broker) refresh(ctx context.Context) error {
	_, err := b.client.CreateTopics(ctx, &kafka.CreateTopicsRequest{})
	return err
}

// settle calls try until its error is another than that a partition is not
// known or has no leader, which passes soon after a topic was made.
func (b *Broker) settle(ctx context.Context, try func() error) error {
	deadline := time.Now().Add(patience)
	for {
		err := try()
		unsettled := errors.Is(err, protocol.ErrNoTopic) || errors.Is(err, protocol.ErrNoPartition) || errors.Is(err, protocol.ErrNoLeader) ||
			errors.Is(err, kafka.UnknownTopicOrPartition) || errors.Is(err, kafka.LeaderNotAvailable) || errors.Is(err, kafka.NotLeaderForPartition)
		if !unsettled {
			return err
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%w (%w)", services.ErrNotFound, err)
		}
		if err := b.refresh(ctx); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause):
		}
	}
}
