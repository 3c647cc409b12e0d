package faults

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/docker/docker/api/types/events"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/client"
)

// Watch notices containers that end by themselves, and an engine that is gone.
type Watch struct {
	engine client.APIClient
	only   filters.Args
	name   func(labels map[string]string) string
	lost   chan error // holds the first
	stop   context.CancelFunc
	done   sync.WaitGroup

	mu       sync.Mutex
	expected map[string]int // ends that are to come, by container
}

// NewWatch watches the running containers with all of the labels. name says
// what a container with such labels is, "" if its end is of no interest.
func NewWatch(engine client.APIClient, labels map[string]string, name func(labels map[string]string) string) *Watch {
	only := filters.NewArgs(filters.Arg("type", string(events.ContainerEventType)), filters.Arg("event", string(events.ActionDie)))
	for name, value := range labels {
		only.Add("label", name+"="+value)
	}
	w := &Watch{engine: engine, only: only, name: name, lost: make(chan error, 1), expected: map[string]int{}}
	ctx, stop := context.WithCancel(context.Background())
	w.stop = stop
	told, failed := engine.Events(ctx, events.ListOptions{Filters: only})
	w.done.Go(func() { w.run(ctx, told, failed) })
	return w
}

// Lost tells of the first thing that was lost.
func (w *Watch) Lost() <-chan error { return w.lost }

// Expect notes that running containers are about to be ended.
func (w *Watch) Expect(ids ...string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, id := range ids {
		w.expected[id]++
	}
}

// Close ends the watch.
func (w *Watch) Close() {
	w.stop()
	w.done.Wait()
}

func (w *Watch) run(ctx context.Context, told <-chan events.Message, failed <-chan error) {
	since := time.Now()
	for {
		select {
		case <-ctx.Done():
			return
		case e := <-told:
			since = time.Unix(0, e.TimeNano+1)
			w.died(ctx, &e.Actor)
		case <-failed:
			// What is between may have cut a connection that was silent for
			// long: then the engine answers.
			const patience = 5 * time.Second
			limited, cancel := context.WithTimeout(ctx, patience)
			_, gone := w.engine.Ping(limited)
			cancel()
			if gone != nil {
				w.lose(fmt.Errorf("the Docker engine is gone: %w", gone))
				return
			}
			told, failed = w.engine.Events(ctx, events.ListOptions{Filters: w.only, Since: fmt.Sprintf("%d.%09d", since.Unix(), since.Nanosecond())})
		}
	}
}

func (w *Watch) died(ctx context.Context, who *events.Actor) {
	name := w.name(who.Attributes)
	if name == "" {
		return
	}
	w.mu.Lock()
	expected := w.expected[who.ID] > 0
	if expected {
		w.expected[who.ID]--
	}
	w.mu.Unlock()
	if expected {
		return
	}
	status := who.Attributes["exitCode"]
	if status == "137" {
		status += " (it was killed, perhaps for want of memory)"
	}
	w.lose(fmt.Errorf("%s has ended with status %s, though no fault was to end it; %s", name, status, Tail(ctx, w.engine, who.ID)))
}

func (w *Watch) lose(err error) {
	select {
	case w.lost <- err:
	default:
	}
}
