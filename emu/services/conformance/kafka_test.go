package conformance

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"net"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/flowtwin/flowtwin/emu/services"
	"github.com/flowtwin/flowtwin/emu/services/broker"
	"github.com/flowtwin/flowtwin/emu/services/embedded"
	"github.com/segmentio/kafka-go"
)

func TestKafka(t *testing.T) {
	against(t, "FLOWTWIN_KAFKA_BROKERS", func(t *testing.T) server {
		s, err := embedded.StartKafka()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
		return server{strings.Join(s.Brokers(), ","), s.Served()}
	}, kafkaSuite)
}

const (
	kafkaChunk = 1000
	// partitions is how many topics have here: not one, and a divisor of
	// nothing that is sent.
	partitions = 3
)

// kafkaVersion is what is told of a real one: kfake must not pass for it.
var kafkaVersion = regexp.MustCompile(`^Kafka (at least |between )?v?[0-9]+\.[0-9]+`)

// pipes is a broker and the topics that a test makes in it.
type pipes struct {
	*broker.Broker
	t       *testing.T
	address []string
	topics  []string
}

// openKafka connects as a node does. When the test ends, the topics that it
// made are deleted, and must be gone.
func openKafka(t *testing.T, s server, o broker.Options) *pipes {
	t.Helper()
	o.Brokers = strings.Split(s.address, ",")
	if o.Chunk == 0 {
		o.Chunk = kafkaChunk
	}
	b, err := broker.Open(testContext(t), o)
	if err != nil {
		t.Fatal(err)
	}
	p := &pipes{Broker: b, t: t, address: o.Brokers}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := p.DeleteTopics(ctx, p.topics...); err != nil {
			t.Error(err)
		}
		p.waitGone(ctx)
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return p
}

// waitGone waits until the broker names none of the topics any more: one that
// is deleted is known for a moment yet.
func (p *pipes) waitGone(ctx context.Context) {
	p.t.Helper()
	for {
		names, err := p.Topics(ctx)
		if err != nil {
			p.t.Errorf("topics that should be gone, of %v: %v", p.topics, err)
			return
		}
		if !slices.ContainsFunc(p.topics, func(name string) bool { return slices.Contains(names, name) }) {
			return
		}
		time.Sleep(time.Millisecond)
	}
}

func (p *pipes) topic(ctx context.Context, partitions int) *broker.Topic {
	p.t.Helper()
	name := unique("conformance")
	topic, err := p.CreateTopic(ctx, name, partitions)
	if err != nil {
		p.t.Fatal(err)
	}
	p.topics = append(p.topics, name)
	return topic
}

// raw is a client without the adapter's care.
func (p *pipes) raw() *kafka.Client {
	transport := new(kafka.Transport)
	p.t.Cleanup(transport.CloseIdleConnections)
	return &kafka.Client{Addr: kafka.TCP(p.address...), Transport: transport}
}

// fetched is what came, and how it ended.
type fetched struct {
	data []byte
	err  error
}

func (p *pipes) fetch(ctx context.Context, d broker.Descriptor) fetched {
	var to bytes.Buffer
	err := p.Fetch(ctx, d, &to)
	return fetched{to.Bytes(), err}
}

// held is a datum whose sender is given it chunk by chunk.
type held struct {
	t         *testing.T
	ctx       context.Context
	feed      *io.PipeWriter
	announced chan broker.Descriptor
	done      chan error // when Send has returned
}

// hold starts to send a datum that nothing is there of yet.
func hold(ctx context.Context, t *testing.T, topic *broker.Topic, key services.Key, size int) *held {
	from, feed := io.Pipe()
	h := &held{t, ctx, feed, make(chan broker.Descriptor, 1), make(chan error, 1)}
	go func() {
		_, err := topic.Send(ctx, key, int64(size), from, func(d broker.Descriptor) { h.announced <- d })
		from.CloseWithError(errors.New("the sender has ended"))
		h.done <- err
	}()
	return h
}

// give lets go of some bytes.
func (h *held) give(data []byte) {
	h.t.Helper()
	if _, err := h.feed.Write(data); err != nil {
		h.t.Fatal(err)
	}
}

func (h *held) announcement() broker.Descriptor {
	h.t.Helper()
	select {
	case d := <-h.announced:
		return d
	case err := <-h.done:
		h.t.Fatalf("it ended without an announcement: %v", err)
	case <-h.ctx.Done():
		h.t.Fatal("it was never announced")
	}
	return broker.Descriptor{}
}

// ended waits for one of the two sides, which must not hang.
func ended[T any](t *testing.T, what string, done <-chan T) T {
	t.Helper()
	select {
	case result := <-done:
		return result
	case <-time.After(time.Minute):
		t.Fatalf("%s hangs", what)
		panic("unreachable")
	}
}

// follow fetches a datum and gives out each chunk as it comes.
func (p *pipes) follow(ctx context.Context, d broker.Descriptor) (chunks *io.PipeReader, done <-chan error) {
	chunks, to := io.Pipe()
	end := make(chan error, 1)
	go func() {
		err := p.Fetch(ctx, d, to)
		to.CloseWithError(err)
		end <- err
	}()
	p.t.Cleanup(func() { chunks.Close() })
	return chunks, end
}

// expect reads what must come next.
func expect(t *testing.T, from io.Reader, want []byte) {
	t.Helper()
	got := make([]byte, len(want))
	if n, err := io.ReadFull(from, got); err != nil || !bytes.Equal(got, want) {
		t.Fatalf("%d bytes came of %d, as sent: %t, %v", n, len(want), bytes.Equal(got, want), err)
	}
}

func kafkaSuite(t *testing.T, s server) {
	open := func(t *testing.T) *pipes {
		t.Helper()
		return openKafka(t, s, broker.Options{})
	}
	key := func(invocation string, item int) services.Key {
		return services.Key{Invocation: invocation, Function: "split", Path: fmt.Sprint(item), Output: "out/put"}
	}
	send := func(ctx context.Context, t *testing.T, topic *broker.Topic, key services.Key, data []byte) broker.Descriptor {
		t.Helper()
		d, err := topic.Send(ctx, key, int64(len(data)), bytes.NewReader(data), nil)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}

	t.Run("the server names itself", func(t *testing.T) {
		served := open(t).Served()
		t.Logf("served by %s", served)
		if s.served != "" && served != s.served || s.served == "" && !kafkaVersion.MatchString(served) {
			t.Errorf("served by %q, want %q or the version of a real one", served, s.served)
		}
	})

	t.Run("what is sent comes whole, of any size", func(t *testing.T) {
		// DataFlower's own chunk is in it, of which a fetch brings several and
		// the beginning of another.
		for _, chunk := range []int{1, kafkaChunk, broker.DefaultChunk, 2 << 20} {
			t.Run(fmt.Sprintf("in chunks of %d", chunk), func(t *testing.T) {
				ctx, p := testContext(t), openKafka(t, s, broker.Options{Chunk: chunk})
				topic := p.topic(ctx, partitions)
				many := 20
				if chunk > broker.DefaultChunk {
					many = 4
				}
				var payload, stored int64
				sizes := []int{0, 1, chunk - 1, chunk, chunk + 1, 2 * chunk, many*chunk + chunk/2}
				for i, size := range sizes {
					data := pattern(size, byte(i))
					var announced []broker.Descriptor
					d, err := topic.Send(ctx, key("request", i), int64(size), bytes.NewReader(data), func(d broker.Descriptor) { announced = append(announced, d) })
					if err != nil {
						t.Fatal(err)
					}
					if chunks := max((size+chunk-1)/chunk, 1); d.Chunks != chunks || d.Size != int64(size) || d.Key != key("request", i) || d.Topic != topic.Name() {
						t.Errorf("%d bytes are described as %+v, want %d chunks", size, d, chunks)
					}
					if !slices.Equal(announced, []broker.Descriptor{d}) {
						t.Errorf("%d bytes were announced as %+v, and sent as %+v", size, announced, d)
					}
					got := p.fetch(ctx, d)
					if got.err != nil || !bytes.Equal(got.data, data) {
						t.Errorf("%d bytes: got %d, checksum %08x, want %08x, %v", size, len(got.data), crc32.ChecksumIEEE(got.data), crc32.ChecksumIEEE(data), got.err)
					}
					payload += int64(size)
					stored += int64(size)
					for c := range d.Chunks {
						stored += int64(len(fmt.Sprintf("%s#%d", d.Key, c))) + services.TrailerSize
					}
				}
				traffic := p.Traffic()
				if n := int64(len(sizes)); traffic.Puts != n || traffic.Gets != n || traffic.PayloadPut != payload || traffic.PayloadGot != payload || traffic.StoredPut != stored || traffic.StoredGot != stored {
					t.Errorf("traffic %+v, want %d data, %d bytes of payload, %d stored", traffic, n, payload, stored)
				}
				if traffic.WireSent < stored || traffic.WireReceived < stored {
					t.Errorf("%d bytes went there and %d came, where %d were stored", traffic.WireSent, traffic.WireReceived, stored)
				}
				// A batch of one message has 61 bytes of its own, and the message
				// some ten.
				if size, err := p.LogSize(ctx, topic.Name()); err != nil || size < stored || size > stored+stored/10+100*int64(sizes[len(sizes)-1]/chunk+20) {
					t.Errorf("the broker's logs have %d bytes, where %d were stored, %v", size, stored, err)
				}
			})
		}
	})

	t.Run("chunks come while their sender is held back", func(t *testing.T) {
		ctx, p := testContext(t), open(t)
		const chunks = 5
		data := pattern(chunks*kafkaChunk-1, 1)
		h := hold(ctx, t, p.topic(ctx, partitions), key("request", 0), len(data))
		h.give(data[:kafkaChunk])
		from, done := p.follow(ctx, h.announcement())
		// In lockstep: none is given before the last has come.
		rest := data[kafkaChunk:]
		for chunk := range slices.Chunk(data, kafkaChunk) {
			expect(t, from, chunk)
			if len(rest) > 0 {
				next := rest[:min(kafkaChunk, len(rest))]
				rest = rest[len(next):]
				h.give(next)
			}
		}
		if err := errors.Join(ended(t, "the sender", h.done), ended(t, "the reader", done)); err != nil {
			t.Error(err)
		}
	})

	t.Run("several read one datum, each at its time", func(t *testing.T) {
		ctx, p := testContext(t), open(t)
		data := pattern(40*kafkaChunk+1, 2)
		h := hold(ctx, t, p.topic(ctx, partitions), key("request", 0), len(data))
		h.give(data[:kafkaChunk])
		d := h.announcement()
		const early, late = 4, 4
		got := make(chan fetched, early+late)
		slow, slowDone := p.follow(ctx, d)
		expect(t, slow, data[:1])
		for range early {
			go func() { got <- p.fetch(ctx, d) }()
		}
		h.give(data[kafkaChunk:])
		if err := ended(t, "the sender", h.done); err != nil {
			t.Fatal(err)
		}
		for range late {
			go func() { got <- p.fetch(ctx, d) }()
		}
		for range early + late {
			if one := ended(t, "a reader", got); one.err != nil || !bytes.Equal(one.data, data) {
				t.Errorf("got %d bytes, %v", len(one.data), one.err)
			}
		}
		// One that has hardly begun has held back neither the sender nor the
		// others.
		expect(t, slow, data[1:])
		if err := ended(t, "the slow reader", slowDone); err != nil {
			t.Error(err)
		}
	})

	t.Run("a container's data go to its partitions in turn, each behind the last", func(t *testing.T) {
		ctx, p := testContext(t), open(t)
		topic := p.topic(ctx, partitions)
		next := map[int]int64{}
		var all []broker.Descriptor
		size := func(i int) int { return i * 700 }
		for i := range 4*partitions + 1 {
			d := send(ctx, t, topic, key("request", i), pattern(size(i), byte(i)))
			if d.Partition != i%partitions || d.Offset != next[d.Partition] {
				t.Errorf("datum %d is in partition %d at %d, want %d at %d", i, d.Partition, d.Offset, i%partitions, next[i%partitions])
			}
			next[d.Partition] += int64(d.Chunks)
			all = append(all, d)
		}
		for i, d := range slices.Backward(all) {
			if got := p.fetch(ctx, d); got.err != nil || !bytes.Equal(got.data, pattern(size(i), byte(i))) {
				t.Errorf("datum %d: got %d bytes, %v", i, len(got.data), got.err)
			}
		}
	})

	t.Run("many containers send and many read at once", func(t *testing.T) {
		ctx, p := testContext(t), open(t)
		const containers, each = 4, 12
		var group sync.WaitGroup
		for c := range containers {
			topic := p.topic(ctx, partitions)
			for i := range each {
				data := pattern(i*i*150, byte(c*each+i))
				group.Go(func() {
					var readers sync.WaitGroup
					defer readers.Wait()
					_, err := topic.Send(ctx, key(fmt.Sprint("request", c), i), int64(len(data)), bytes.NewReader(data), func(d broker.Descriptor) {
						readers.Go(func() {
							if got := p.fetch(ctx, d); got.err != nil || !bytes.Equal(got.data, data) {
								t.Errorf("got %d bytes of %d, %v", len(got.data), len(data), got.err)
							}
						})
					})
					if err != nil {
						t.Error(err)
					}
				})
			}
		}
		group.Wait()
		if traffic := p.Traffic(); traffic.Puts != containers*each || traffic.Gets != containers*each {
			t.Errorf("traffic %+v, want %d data", traffic, containers*each)
		}
	})

	t.Run("a datum waits for the one before it in its partition", func(t *testing.T) {
		ctx, p := testContext(t), open(t)
		topic, data := p.topic(ctx, 1), pattern(3*kafkaChunk, 3)
		first := hold(ctx, t, topic, key("request", 1), len(data))
		first.give(data[:kafkaChunk])
		d := first.announcement()
		second := make(chan broker.Descriptor, 1)
		go func() {
			d, err := topic.Send(ctx, key("request", 2), 1, strings.NewReader("x"), nil)
			if err != nil {
				t.Error(err)
			}
			second <- d
		}()
		impatient, cancel := context.WithCancel(ctx)
		third := hold(impatient, t, topic, key("request", 3), 1)
		cancel()
		if err := ended(t, "a sender whose turn never comes", third.done); !errors.Is(err, context.Canceled) {
			t.Errorf("error %v", err)
		}
		first.give(data[kafkaChunk:])
		if err := ended(t, "the first sender", first.done); err != nil {
			t.Error(err)
		}
		if behind := ended(t, "the second sender", second); behind.Offset != d.Offset+3 {
			t.Errorf("the second is at offset %d, the first of 3 chunks at %d", behind.Offset, d.Offset)
		}
		if got := p.fetch(ctx, d); got.err != nil || !bytes.Equal(got.data, data) {
			t.Errorf("got %d bytes, %v", len(got.data), got.err)
		}
	})

	t.Run("readers are told when a sender fails", func(t *testing.T) {
		ctx, p := testContext(t), open(t)
		topic, data, failure := p.topic(ctx, 1), pattern(3*kafkaChunk, 4), errors.New("the container is gone")
		h := hold(ctx, t, topic, key("request", 0), len(data))
		h.give(data[:kafkaChunk])
		d := h.announcement()
		from, done := p.follow(ctx, d)
		expect(t, from, data[:kafkaChunk])
		h.feed.CloseWithError(failure)
		if err := ended(t, "the sender", h.done); !errors.Is(err, failure) {
			t.Errorf("the sender ended with %v", err)
		}
		if err := ended(t, "the reader", done); !errors.Is(err, broker.ErrAborted) {
			t.Errorf("the reader ended with %v", err)
		}
		if got := p.fetch(ctx, d); !errors.Is(got.err, broker.ErrAborted) {
			t.Errorf("one that comes later ended with %v", got.err)
		}
		// And what comes next in that partition is not hurt.
		again := send(ctx, t, topic, key("request", 1), data)
		if got := p.fetch(ctx, again); got.err != nil || !bytes.Equal(got.data, data) {
			t.Errorf("got %d bytes, %v", len(got.data), got.err)
		}
	})

	t.Run("one that fails before its first chunk is not announced", func(t *testing.T) {
		ctx, p := testContext(t), open(t)
		topic := p.topic(ctx, 1)
		_, err := topic.Send(ctx, key("request", 0), kafkaChunk, strings.NewReader("short"), func(broker.Descriptor) { t.Error("it was announced") })
		if !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("error %v", err)
		}
		if d := send(ctx, t, topic, key("request", 1), nil); d.Offset != 0 {
			t.Errorf("it has left %d messages", d.Offset)
		}
	})

	t.Run("damage is noticed", func(t *testing.T) {
		ctx, p := testContext(t), open(t)
		topic, data := p.topic(ctx, 1), pattern(2*kafkaChunk, 5)
		one, other := send(ctx, t, topic, key("request", 1), data), send(ctx, t, topic, key("request", 2), data)
		for what, change := range map[string]func(d *broker.Descriptor){
			"it is another's datum":        func(d *broker.Descriptor) { d.Key = other.Key },
			"it is at a wrong place":       func(d *broker.Descriptor) { d.Offset++ },
			"it is longer than described":  func(d *broker.Descriptor) { d.Size-- },
			"it is shorter than described": func(d *broker.Descriptor) { d.Size++ },
		} {
			wrong := one
			change(&wrong)
			if got := p.fetch(ctx, wrong); !errors.Is(got.err, services.ErrDamaged) {
				t.Errorf("%s: got %d bytes, %v", what, len(got.data), got.err)
			}
		}
		beyond := other
		beyond.Offset += 100
		if got := p.fetch(ctx, beyond); got.err == nil {
			t.Error("what is not there was fetched")
		}

		// A message of the right name whose bytes were changed.
		name := one.Key.String() + "#0"
		trailer := services.Trailer(name, data[:kafkaChunk])
		spoilt := append(slices.Clone(data[:kafkaChunk]), trailer[:]...)
		spoilt[7] ^= 1
		answer, err := p.raw().Produce(ctx, &kafka.ProduceRequest{Topic: topic.Name(), RequiredAcks: kafka.RequireAll,
			Records: kafka.NewRecordReader(kafka.Record{Key: kafka.NewBytes([]byte(name)), Value: kafka.NewBytes(spoilt)})})
		if err != nil || answer.Error != nil {
			t.Fatal(err, answer)
		}
		one.Offset = answer.BaseOffset
		if got := p.fetch(ctx, one); !errors.Is(got.err, services.ErrDamaged) || len(got.data) > 0 {
			t.Errorf("a bit is flipped: got %d bytes, %v", len(got.data), got.err)
		}
	})

	t.Run("a stranger in a container's topic is noticed", func(t *testing.T) {
		ctx, p := testContext(t), open(t)
		topic, data := p.topic(ctx, 1), pattern(3*kafkaChunk, 6)
		h := hold(ctx, t, topic, key("request", 0), len(data))
		h.give(data[:kafkaChunk])
		d := h.announcement()
		answer, err := p.raw().Produce(ctx, &kafka.ProduceRequest{Topic: topic.Name(), RequiredAcks: kafka.RequireAll,
			Records: kafka.NewRecordReader(kafka.Record{Value: kafka.NewBytes([]byte("hello"))})})
		if err != nil || answer.Error != nil {
			t.Fatal(err, answer)
		}
		h.give(data[kafkaChunk : 2*kafkaChunk])
		if err := ended(t, "the sender", h.done); err == nil || !strings.Contains(err.Error(), "somebody else writes") {
			t.Errorf("the sender ended with %v", err)
		}
		if got := p.fetch(ctx, d); !errors.Is(got.err, services.ErrDamaged) {
			t.Errorf("got %d bytes, %v", len(got.data), got.err)
		}
	})

	t.Run("of a topic that is gone nothing is had, and that is said", func(t *testing.T) {
		ctx, p := testContext(t), open(t)
		topic, other, data := p.topic(ctx, partitions), p.topic(ctx, partitions), pattern(2*kafkaChunk, 7)
		h := hold(ctx, t, topic, key("request", 0), len(data))
		h.give(data[:kafkaChunk])
		d := h.announcement()
		from, done := p.follow(ctx, d)
		expect(t, from, data[:kafkaChunk])
		if err := errors.Join(p.DeleteTopics(ctx, topic.Name()), p.DeleteTopics(ctx, topic.Name()), p.DeleteTopics(ctx)); err != nil {
			t.Fatal(err)
		}
		// All at once, for each has some patience.
		late, stranger := make(chan fetched, 1), make(chan fetched, 1)
		another := open(t) // has never heard of it
		go func() { late <- p.fetch(ctx, d) }()
		go func() { stranger <- another.fetch(ctx, d) }()
		go h.feed.Write(data[kafkaChunk:])
		if err := ended(t, "one that waits for the rest", done); !errors.Is(err, services.ErrNotFound) {
			t.Errorf("one that waits for the rest ended with %v", err)
		}
		for what, end := range map[string]chan fetched{"one that comes later": late, "another node": stranger} {
			if got := ended(t, what, end); !errors.Is(got.err, services.ErrNotFound) || len(got.data) > 0 || !strings.Contains(got.err.Error(), topic.Name()) {
				t.Errorf("%s: got %d bytes, %v", what, len(got.data), got.err)
			}
		}
		if err := ended(t, "the sender", h.done); !errors.Is(err, services.ErrNotFound) {
			t.Errorf("the sender ended with %v", err)
		}
		// Nobody has made it again by asking for it, and the others are there.
		names, err := p.Topics(ctx)
		if err != nil || slices.Contains(names, topic.Name()) || !slices.Contains(names, other.Name()) {
			t.Errorf("the topics are %v, %v", names, err)
		}
	})

	t.Run("a wait ends with its context", func(t *testing.T) {
		ctx, p := testContext(t), open(t)
		topic, data := p.topic(ctx, 1), pattern(3*kafkaChunk, 8)
		h := hold(ctx, t, topic, key("request", 0), len(data))
		h.give(data[:kafkaChunk])
		d := h.announcement()
		impatient, cancel := context.WithCancel(ctx)
		from, done := p.follow(impatient, d)
		expect(t, from, data[:kafkaChunk])
		cancel()
		if err := ended(t, "the reader", done); !errors.Is(err, context.Canceled) {
			t.Errorf("the reader ended with %v", err)
		}
		// Which is nothing to the sender and another reader.
		h.give(data[kafkaChunk:])
		if err := ended(t, "the sender", h.done); err != nil {
			t.Error(err)
		}
		if got := p.fetch(ctx, d); got.err != nil || !bytes.Equal(got.data, data) {
			t.Errorf("got %d bytes, %v", len(got.data), got.err)
		}
	})

	t.Run("a sender whose context ends tells its readers", func(t *testing.T) {
		ctx, p := testContext(t), open(t)
		topic, data := p.topic(ctx, 1), pattern(3*kafkaChunk, 9)
		doomed, cancel := context.WithCancel(ctx)
		h := hold(doomed, t, topic, key("request", 0), len(data))
		h.give(data[:kafkaChunk])
		from, done := p.follow(ctx, h.announcement())
		expect(t, from, data[:kafkaChunk])
		cancel()
		go h.feed.Write(data[kafkaChunk:]) // What was to be sent next is there.
		go io.Copy(io.Discard, from)
		if err := ended(t, "the sender", h.done); !errors.Is(err, context.Canceled) {
			t.Errorf("the sender ended with %v", err)
		}
		if err := ended(t, "the reader", done); !errors.Is(err, broker.ErrAborted) {
			t.Errorf("the reader ended with %v", err)
		}
	})

	t.Run("a chunk that is on its way when its sender is stopped comes before the next datum", func(t *testing.T) {
		var network slow
		ctx, p := testContext(t), openKafka(t, s, broker.Options{Dial: network.dial})
		topic, data := p.topic(ctx, 1), pattern(3*kafkaChunk, 11)
		doomed, cancel := context.WithCancel(ctx)
		defer cancel()
		first := hold(doomed, t, topic, key("request", 1), len(data))
		first.give(data[:kafkaChunk])
		d := first.announcement()
		caught, release := network.holdRequest()
		defer release()
		first.give(data[kafkaChunk : 2*kafkaChunk])
		ended(t, "a request", caught)
		cancel()
		second := hold(ctx, t, topic, key("request", 2), len(data))
		go second.feed.Write(data[:kafkaChunk])
		select {
		case <-second.announced:
			t.Fatal("the next datum has begun before")
		case <-time.After(100 * time.Millisecond): // It waits, for longer than it would need.
		}
		release()
		if err := ended(t, "the first sender", first.done); !errors.Is(err, context.Canceled) {
			t.Errorf("the first sender ended with %v", err)
		}
		next := second.announcement()
		second.give(data[kafkaChunk:])
		if err := ended(t, "the second sender", second.done); err != nil {
			t.Error(err)
		}
		if got := p.fetch(ctx, next); got.err != nil || !bytes.Equal(got.data, data) {
			t.Errorf("got %d bytes, %v", len(got.data), got.err)
		}
		if got := p.fetch(ctx, d); !errors.Is(got.err, broker.ErrAborted) {
			t.Errorf("of the first: got %d bytes, %v", len(got.data), got.err)
		}
	})

	t.Run("a broker that falls silent holds nobody whose context has ended", func(t *testing.T) {
		var network slow
		ctx, p := testContext(t), openKafka(t, s, broker.Options{Dial: network.dial})
		topic, data := p.topic(ctx, 1), pattern(3*kafkaChunk, 10)
		doomed, cancel := context.WithCancel(ctx)
		defer cancel()
		h := hold(doomed, t, topic, key("request", 0), len(data))
		h.give(data[:kafkaChunk])
		from, done := p.follow(doomed, h.announcement())
		expect(t, from, data[:kafkaChunk])
		restore := network.holdAnswers()
		defer restore()
		h.give(data[kafkaChunk : 2*kafkaChunk])
		cancel()
		if err := ended(t, "the sender", h.done); !errors.Is(err, context.Canceled) {
			t.Errorf("the sender ended with %v", err)
		}
		if err := ended(t, "the reader", done); !errors.Is(err, context.Canceled) {
			t.Errorf("the reader ended with %v", err)
		}
		if _, err := p.Topics(doomed); !errors.Is(err, context.Canceled) {
			t.Errorf("one that asks for the topics ended with %v", err)
		}
		restore()
		send(ctx, t, p.topic(ctx, 1), key("request", 1), data)
	})

	t.Run("what cannot be is refused", func(t *testing.T) {
		ctx, p := testContext(t), open(t)
		topic := p.topic(ctx, partitions)
		for _, wrong := range []struct {
			name       string
			partitions int
		}{{"", 1}, {"a/b", 1}, {unique("none"), 0}, {topic.Name(), 1}} {
			if _, err := p.CreateTopic(ctx, wrong.name, wrong.partitions); err == nil {
				t.Errorf("there is a topic %q of %d partitions", wrong.name, wrong.partitions)
				p.topics = append(p.topics, wrong.name)
			}
		}
		d := send(ctx, t, topic, key("request", 0), []byte("x"))
		d.Partition = partitions
		if got := p.fetch(ctx, d); !errors.Is(got.err, services.ErrNotFound) {
			t.Errorf("a partition that is not there: got %d bytes, %v", len(got.data), got.err)
		}
	})
}

// slow is a network that can be held up.
type slow struct {
	mu sync.Mutex
	// answers are held back until it is closed (nil: they are not), and so is
	// the next request.
	answers, request chan struct{}
	caught           chan struct{} // closed when there is such a request
}

// holdAnswers holds back what is answered. What it returns ends that, and may
// be called again.
func (s *slow) holdAnswers() (release func()) {
	until := make(chan struct{})
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answers = until
	return sync.OnceFunc(func() { close(until) })
}

// holdRequest holds back the next request.
func (s *slow) holdRequest() (caught <-chan struct{}, release func()) {
	until := make(chan struct{})
	s.mu.Lock()
	defer s.mu.Unlock()
	s.request, s.caught = until, make(chan struct{})
	return s.caught, sync.OnceFunc(func() { close(until) })
}

func (s *slow) dial(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := services.Direct(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return &slowConn{Conn: conn, network: s, closed: make(chan struct{})}, nil
}

type slowConn struct {
	net.Conn
	network *slow
	once    sync.Once
	closed  chan struct{}
}

func (c *slowConn) wait(until chan struct{}) error {
	if until == nil {
		return nil
	}
	select {
	case <-until:
		return nil
	case <-c.closed:
		return net.ErrClosed
	}
}

func (c *slowConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.network.mu.Lock()
	until := c.network.answers
	c.network.mu.Unlock()
	if err := c.wait(until); err != nil {
		return 0, err
	}
	return n, err
}

func (c *slowConn) Write(b []byte) (int, error) {
	c.network.mu.Lock()
	until := c.network.request
	if c.network.request = nil; until != nil {
		close(c.network.caught)
	}
	c.network.mu.Unlock()
	if err := c.wait(until); err != nil {
		return 0, err
	}
	return c.Conn.Write(b)
}

func (c *slowConn) Close() error {
	c.once.Do(func() { close(c.closed) })
	return c.Conn.Close()
}

func TestKafkaThatIsNotThere(t *testing.T) {
	s, err := embedded.StartKafka()
	if err != nil {
		t.Fatal(err)
	}
	brokers := s.Brokers()
	s.Close()
	for _, brokers := range [][]string{brokers, nil, {""}, {"no port"}} {
		if b, err := broker.Open(testContext(t), broker.Options{Brokers: brokers}); err == nil {
			b.Close()
			t.Errorf("%v was opened", brokers)
		}
	}
}
