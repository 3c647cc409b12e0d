package broker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"github.com/flowtwin/flowtwin/emu/services"
	"github.com/segmentio/kafka-go"
)

const (
	// abortTimeout is how long a sender that has failed tries to tell its readers.
	abortTimeout = time.Second
	// grace is how long a chunk that is on its way may take when its sender is
	// told to stop.
	grace = time.Second
)

// Topic is what one container writes into. It may be used by many goroutines;
// data in the same partition are sent one after the other.
type Topic struct {
	broker     *Broker
	name       string
	partitions []chan struct{} // taken by who writes
	next       atomic.Uint64   // partition
}

// Name is the topic's name.
func (t *Topic) Name() string { return t.name }

// Send sends a datum of the given size, which it reads chunk by chunk. It
// calls announce once the first chunk is safe in the broker, and returns when
// the last one is. Data go to the partitions in turn.
//
// If it fails after the announcement, readers are told, as far as the broker
// can be reached. Nothing is sent twice: to try again is to send another datum.
func (t *Topic) Send(ctx context.Context, key services.Key, size int64, from io.Reader, announce func(Descriptor)) (Descriptor, error) {
	d := Descriptor{
		Key: key, Topic: t.name, Size: size,
		Partition: int((t.next.Add(1) - 1) % uint64(len(t.partitions))),
		Chunks:    int(max((size+int64(t.broker.chunk)-1)/int64(t.broker.chunk), 1)),
	}
	if err := d.Validate(); err != nil {
		return Descriptor{}, err
	}
	select {
	case t.partitions[d.Partition] <- struct{}{}:
	case <-ctx.Done():
		return Descriptor{}, ctx.Err()
	}
	defer func() { <-t.partitions[d.Partition] }()
	sent, stored, err := t.send(ctx, &d, from, announce)
	if err != nil {
		err = fmt.Errorf("sending %s into the topic %s, chunk %d of %d: %w", key, t.name, sent+1, d.Chunks, err)
		if sent > 0 {
			err = errors.Join(err, t.abort(ctx, &d))
		}
		return Descriptor{}, err
	}
	t.broker.meter.Put(size, stored)
	return d, nil
}

// send returns how many chunks are safe, and what they take.
func (t *Topic) send(ctx context.Context, d *Descriptor, from io.Reader, announce func(Descriptor)) (sent int, stored int64, err error) {
	// Such a chunk cannot be called back. If it came late, it would lie between
	// the chunks of the next datum: it is waited for.
	sending, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(grace, cancel) })()
	datum := d.Key.String()
	buffer := make([]byte, min(int64(t.broker.chunk), d.Size), min(int64(t.broker.chunk), d.Size)+services.TrailerSize)
	for left := d.Size; sent < d.Chunks; sent++ {
		if ctx.Err() != nil {
			return sent, stored, ctx.Err()
		}
		chunk := buffer[:min(int64(t.broker.chunk), left)]
		left -= int64(len(chunk))
		if _, err := io.ReadFull(from, chunk); err != nil {
			return sent, stored, fmt.Errorf("reading what shall be sent, %d bytes: %w", d.Size, err)
		}
		name := chunkName(datum, sent)
		trailer := services.Trailer(name, chunk)
		offset, err := t.produce(sending, d.Partition, name, append(chunk, trailer[:]...))
		if err != nil {
			return sent, stored, ended(ctx, err)
		}
		stored += int64(len(name) + len(chunk) + len(trailer))
		if sent == 0 {
			d.Offset = offset
			if announce != nil {
				announce(*d)
			}
		}
		if offset != d.Offset+int64(sent) {
			return sent + 1, stored, fmt.Errorf("it has offset %d, not %d: somebody else writes into this topic", offset, d.Offset+int64(sent))
		}
	}
	return sent, stored, nil
}

// produce writes one message and returns its offset when all replicas have it.
func (t *Topic) produce(ctx context.Context, partition int, key string, value []byte) (offset int64, err error) {
	err = t.broker.settle(ctx, func() error {
		answer, err := t.broker.client.Produce(ctx, &kafka.ProduceRequest{
			Topic: t.name, Partition: partition, RequiredAcks: kafka.RequireAll,
			Records: kafka.NewRecordReader(kafka.Record{Key: kafka.NewBytes([]byte(key)), Value: kafka.NewBytes(value)}),
		})
		if err != nil {
			return err
		}
		offset = answer.BaseOffset
		return answer.Error
	})
	return offset, err
}

// abort tells readers that the rest will not come.
func (t *Topic) abort(ctx context.Context, d *Descriptor) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), abortTimeout)
	defer cancel()
	name := abortName(d.Key.String())
	trailer := services.Trailer(name, nil)
	if _, err := t.produce(ctx, d.Partition, name, trailer[:]); err != nil {
		return fmt.Errorf("its readers could not be told: %w", err)
	}
	return nil
}
