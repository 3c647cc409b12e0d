package broker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/flowtwin/flowtwin/emu/services"
	"github.com/segmentio/kafka-go"
)

// ErrAborted says that a datum's sender failed before all was sent.
var ErrAborted = errors.New("aborted by its sender")

const (
	// fetchBytes is how much is fetched at a time at most, unless a single
	// chunk is larger.
	fetchBytes = 1 << 20
	// fetchWait is how long the broker holds a request back for which there is
	// nothing yet.
	fetchWait = 500 * time.Millisecond
)

// Fetch copies a datum, chunk by chunk as they come: if need be, it waits for
// its sender. The error is [ErrAborted] if that has failed,
// [services.ErrDamaged] if what comes is not what was sent, and
// [services.ErrNotFound] if there is no such topic. A chunk is written only
// after its checksum was verified. If the sender has vanished without a word,
// Fetch waits until its context ends.
func (b *Broker) Fetch(ctx context.Context, d Descriptor, to io.Writer) error {
	if err := d.Validate(); err != nil {
		return err
	}
	f := fetch{broker: b, Descriptor: d, datum: d.Key.String(), to: to}
	for f.chunks < d.Chunks {
		if err := f.more(ctx); err != nil {
			return fmt.Errorf("fetching %s from the topic %s, chunk %d of %d: %w", f.datum, d.Topic, f.chunks+1, d.Chunks, err)
		}
	}
	if f.bytes != d.Size {
		return fmt.Errorf("fetching %s from the topic %s: %d bytes came, not %d: %w", f.datum, d.Topic, f.bytes, d.Size, services.ErrDamaged)
	}
	b.meter.Got(d.Size, f.stored)
	return nil
}

// fetch is the state of one Fetch.
type fetch struct {
	Descriptor
	broker *Broker
	datum  string
	to     io.Writer
	buffer []byte
	chunks int
	bytes  int64
	stored int64
}

// more asks for the next chunks, once.
func (f *fetch) more(ctx context.Context) error {
	// What follows the datum is not for us.
	left := f.Size - f.bytes + int64(f.Chunks-f.chunks)*overhead
	var answer *kafka.FetchResponse
	err := f.broker.settle(ctx, func() (err error) {
		answer, err = f.broker.client.Fetch(ctx, &kafka.FetchRequest{
			Topic: f.Topic, Partition: f.Partition, Offset: f.Offset + int64(f.chunks),
			MinBytes: 1, MaxBytes: min(left, fetchBytes), MaxWait: fetchWait,
		})
		if err == nil {
			err = answer.Error
		}
		return err
	})
	if err != nil {
		return err
	}
	for {
		record, err := answer.Records.ReadRecord()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		// All are read, whatever comes of it: the library wants its memory back.
		if failed := f.take(record); failed != nil {
			err = failed
			for {
				rest, end := answer.Records.ReadRecord()
				if end != nil {
					return err
				}
				closeRecord(rest)
			}
		}
	}
}

func closeRecord(record *kafka.Record) {
	if record.Key != nil {
		record.Key.Close()
	}
	if record.Value != nil {
		record.Value.Close()
	}
}

// take writes the chunk in a message, if it is the next one. The broker may
// send others before and after it.
func (f *fetch) take(record *kafka.Record) error {
	defer closeRecord(record)
	wanted := f.Offset + int64(f.chunks)
	if record.Offset < wanted || f.chunks == f.Chunks {
		return nil
	}
	if record.Offset > wanted {
		return fmt.Errorf("offset %d came, not %d: %w", record.Offset, wanted, services.ErrDamaged)
	}
	if record.Key == nil || record.Value == nil {
		return fmt.Errorf("the message at offset %d is no chunk: %w", wanted, services.ErrDamaged)
	}
	keyBytes := record.Key.Len()
	if err := f.read(record.Key); err != nil {
		return err
	}
	key := string(f.buffer)
	if err := f.read(record.Value); err != nil {
		return err
	}
	switch key {
	case chunkName(f.datum, f.chunks):
	case abortName(f.datum):
		if _, err := services.Open(key, f.buffer); err != nil {
			return err
		}
		return ErrAborted
	default:
		return fmt.Errorf("the message at offset %d is %.100q: %w", wanted, key, services.ErrDamaged)
	}
	chunk, err := services.Open(key, f.buffer)
	if err != nil {
		return err
	}
	if f.bytes+int64(len(chunk)) > f.Size {
		return fmt.Errorf("more than %d bytes came: %w", f.Size, services.ErrDamaged)
	}
	if _, err := f.to.Write(chunk); err != nil {
		return err
	}
	f.chunks++
	f.bytes += int64(len(chunk))
	f.stored += int64(keyBytes + len(f.buffer))
	return nil
}

// read fills the buffer.
func (f *fetch) read(from kafka.Bytes) error {
	n := from.Len()
	if cap(f.buffer) < n {
		f.buffer = make([]byte, n)
	}
	f.buffer = f.buffer[:n]
	_, err := io.ReadFull(from, f.buffer)
	return err
}
