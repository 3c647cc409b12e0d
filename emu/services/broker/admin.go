package broker

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"
)

// What kafka-go has no words for is said in kmsg's: one request on a
// connection of its own.

const (
	clientID = "flowtwin"
	// largestAnswer is more than brokers answer to what we ask here, in bytes.
	largestAnswer = 64 << 20
	// kfakeCluster is the name that kfake gives its clusters.
	kfakeCluster = "kfake"
)

// identify asks the first broker that answers what it is. Kafka does not tell
// its version, but the requests that it understands give it away.
func (b *Broker) identify(ctx context.Context) (string, error) {
	var failures []error
	for _, address := range b.brokers {
		metadata := kmsg.NewPtrMetadataRequest()
		metadata.SetVersion(4)
		metadata.Topics = []kmsg.MetadataRequestTopic{} // None, not all.
		versions := kmsg.NewPtrApiVersionsRequest()
		answer, err := b.ask(ctx, address, metadata)
		if err == nil && answer.(*kmsg.MetadataResponse).ClusterID != nil && *answer.(*kmsg.MetadataResponse).ClusterID == kfakeCluster {
			return "kfake, Kafka protocol", nil
		}
		if err == nil {
			answer, err = b.ask(ctx, address, versions)
		}
		if err != nil {
			failures = append(failures, fmt.Errorf("%s: %w", address, err))
			continue
		}
		guess := kversion.FromApiVersionsResponse(answer.(*kmsg.ApiVersionsResponse)).VersionGuess()
		return "Kafka " + strings.TrimPrefix(guess, "v"), nil
	}
	return "", errors.Join(failures...)
}

// LogSize returns how many bytes the logs of topics have on the brokers' disks,
// by their own count, all replicas together.
func (b *Broker) LogSize(ctx context.Context, topics ...string) (int64, error) {
	metadata, err := b.client.Metadata(ctx, &kafka.MetadataRequest{})
	if err != nil {
		return 0, fmt.Errorf("asking Kafka for its brokers: %w", err)
	}
	var size int64
	for _, broker := range metadata.Brokers {
		request := kmsg.NewPtrDescribeLogDirsRequest()
		request.SetVersion(1)
		address := net.JoinHostPort(broker.Host, strconv.Itoa(broker.Port))
		answer, err := b.ask(ctx, address, request)
		if err != nil {
			return 0, fmt.Errorf("asking Kafka at %s for the sizes of its logs: %w", address, err)
		}
		for _, directory := range answer.(*kmsg.DescribeLogDirsResponse).Dirs {
			if err := kerr.ErrorForCode(directory.ErrorCode); err != nil {
				return 0, fmt.Errorf("asking Kafka at %s for the sizes of its logs: %w", address, err)
			}
			for _, topic := range directory.Topics {
				if !slices.Contains(topics, topic.Topic) {
					continue
				}
				for _, partition := range topic.Partitions {
					size += partition.Size
				}
			}
		}
	}
	return size, nil
}

// Topics returns the names of all topics that are not Kafka's own, in order.
func (b *Broker) Topics(ctx context.Context) ([]string, error) {
	request := kmsg.NewPtrMetadataRequest()
	request.SetVersion(4) // Without topics: all.
	var failures []error
	for _, address := range b.brokers {
		answer, err := b.ask(ctx, address, request)
		if err != nil {
			failures = append(failures, fmt.Errorf("%s: %w", address, err))
			continue
		}
		var names []string
		for _, topic := range answer.(*kmsg.MetadataResponse).Topics {
			if topic.Topic != nil && !topic.IsInternal {
				names = append(names, *topic.Topic)
			}
		}
		slices.Sort(names)
		return names, nil
	}
	return nil, fmt.Errorf("asking Kafka for its topics: %w", errors.Join(failures...))
}

// create makes a topic. The library would then ask for all topics that there
// are, which grows with the square of their number where many containers are
// started.
func (b *Broker) create(ctx context.Context, name string, partitions int) error {
	config := kmsg.NewCreateTopicsRequestTopicConfig()
	config.Name, config.Value = "max.message.bytes", kmsg.StringPtr(strconv.Itoa(max(b.chunk+overhead, 1<<20)))
	topic := kmsg.NewCreateTopicsRequestTopic()
	topic.Topic, topic.NumPartitions, topic.ReplicationFactor = name, int32(partitions), 1
	topic.Configs = append(topic.Configs, config)
	var failures []error
	for _, address := range b.brokers { // Only one may be in charge of topics.
		request := kmsg.NewPtrCreateTopicsRequest()
		request.SetVersion(4)
		request.TimeoutMillis = int32(patience / time.Millisecond)
		request.Topics = append(request.Topics, topic)
		answer, err := b.ask(ctx, address, request)
		if err == nil {
			topics := answer.(*kmsg.CreateTopicsResponse).Topics
			if len(topics) != 1 || topics[0].Topic != name {
				return errors.New("the answer is about another topic: this is no Kafka")
			}
			if err = kerr.ErrorForCode(topics[0].ErrorCode); err != nil && topics[0].ErrorMessage != nil {
				err = fmt.Errorf("%w: %s", err, *topics[0].ErrorMessage)
			}
			if err == nil || !errors.Is(err, kerr.NotController) {
				return err
			}
		}
		failures = append(failures, fmt.Errorf("%s: %w", address, err))
	}
	return errors.Join(failures...)
}

// ask sends a request of a version without tags, and returns the answer.
func (b *Broker) ask(ctx context.Context, address string, request kmsg.Request) (kmsg.Response, error) {
	conn, err := b.dial(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	text := kmsg.NewRequestFormatter(kmsg.FormatterClientID(clientID)).AppendRequest(nil, request, 1)
	if _, err := conn.Write(text); err != nil {
		return nil, ended(ctx, err)
	}
	var head [8]byte // length and number of the request
	if _, err := io.ReadFull(conn, head[:]); err != nil {
		return nil, ended(ctx, err)
	}
	size := int64(binary.BigEndian.Uint32(head[:])) - 4
	if size < 0 || size > largestAnswer {
		return nil, fmt.Errorf("an answer of %d bytes: this is no Kafka", size)
	}
	body, err := io.ReadAll(io.LimitReader(conn, size))
	if err != nil {
		return nil, ended(ctx, err)
	}
	if int64(len(body)) < size {
		return nil, io.ErrUnexpectedEOF
	}
	answer := request.ResponseKind()
	answer.SetVersion(request.GetVersion())
	if err := answer.ReadFrom(body); err != nil {
		return nil, err
	}
	return answer, nil
}

// ended prefers the reason why a connection was closed.
func ended(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}
