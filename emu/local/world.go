package local

import (
	"context"
	"errors"

	"github.com/flowtwin/flowtwin/emu/agent"
	"github.com/flowtwin/flowtwin/emu/function"
	"github.com/flowtwin/flowtwin/emu/harness"
	"github.com/flowtwin/flowtwin/emu/records"
	"github.com/flowtwin/flowtwin/emu/services/broker"
	"github.com/flowtwin/flowtwin/emu/services/memory"
	"github.com/flowtwin/flowtwin/emu/services/store"
	"github.com/flowtwin/flowtwin/results/record"
	"github.com/flowtwin/flowtwin/scenarios"
	"github.com/flowtwin/flowtwin/scenarios/profile"
)

// Options say how trials are run.
type Options struct {
	// Work is what functions do; by default they sleep as long as they compute.
	Work function.Work
	// Processes, if set, is a program and its arguments that runs
	// [container.Serve], as "flowtwin function" does: functions then run in child
	// processes, and not as goroutines. Work must be what [function.WorkOf] knows.
	Processes []string
	// Pace makes the platform as slow as the scenario's profile says.
	Pace bool
	// Redis is the host and port of a server to use in place of the embedded
	// ones, CouchDB the URL of one with its administrator's name and password.
	// All workers share the Redis, each with keys of its own.
	Redis, CouchDB string
	// Kafka are the hosts and ports of real brokers.
	Kafka []string
	// Record, if not empty, is the run directory in which the inputs of all
	// engines are recorded.
	Record string
	// Warn, if set, is told of what went wrong in a trial that was not to.
	Warn func(string)
	// Returned, if set, is told of each task that has run, with what its body
	// has posted that no other function reads. It is called by one goroutine at
	// a time, and before the invocation has ended.
	Returned func(*agent.Report)
}

// World runs trials in this process. Trials share nothing but the process, and
// are to run one at a time.
type World struct {
	options Options
	serves  map[string]string
}

// New returns a world. If it is to use real services, it asks them who they
// are; an error says that one does not answer.
func New(ctx context.Context, o Options) (*World, error) {
	if o.Work.Compute == nil {
		o.Work, _ = function.WorkOf("sleep", nil) // Which there is.
	}
	containers := "goroutines"
	if len(o.Processes) > 0 {
		containers = "child processes"
		if o.Work.Name == "" {
			return nil, errors.New("functions in processes of their own can only do what function.WorkOf knows by a name")
		}
	}
	w := &World{options: o, serves: map[string]string{
		"store": embeddedStore, "memory": embeddedMemory, "broker": embeddedBroker, "functions": containers + " that " + o.Work.Does,
		"network": "loopback TCP, bandwidth limited in user space",
	}}
	if o.Redis != "" {
		m, err := memory.Open(ctx, memory.Options{Address: o.Redis})
		if err != nil {
			return nil, err
		}
		w.serves["memory"] = m.Served() + ", one server for all workers"
		if err := m.Close(); err != nil {
			return nil, err
		}
	}
	if o.CouchDB != "" {
		s, err := store.Open(ctx, store.Options{URL: o.CouchDB})
		if err != nil {
			return nil, err
		}
		w.serves["store"] = s.Served()
		if err := s.Close(); err != nil {
			return nil, err
		}
	}
	if len(o.Kafka) > 0 {
		b, err := broker.Open(ctx, broker.Options{Brokers: o.Kafka})
		if err != nil {
			return nil, err
		}
		w.serves["broker"] = b.Served()
		if err := b.Close(); err != nil {
			return nil, err
		}
	}
	return w, nil
}

// What the embedded servers are called.
const (
	embeddedStore  = "flowtwin couchserver, CouchDB protocol"
	embeddedMemory = "miniredis, Redis protocol"
	embeddedBroker = "kfake, Kafka protocol"
)

// Serves names what stands for each service.
func (w *World) Serves() map[string]string { return w.serves }

// Constants lists what becomes of the constants of a profile here. The start of
// a goroutine is nothing, so that of containers which are goroutines is paced in
// any case.
func (w *World) Constants() []profile.Constant {
	if len(w.options.Processes) > 0 {
		return profile.Emulated(w.options.Pace, nil)
	}
	return profile.Emulated(w.options.Pace, map[string]profile.Treatment{
		"container.cold_start": profile.Paced, "container.slowdown": profile.Paced,
	})
}

// Run runs a trial and hands its records to r. It ends early, with the error
// of ctx, when ctx is cancelled; what has been recorded by then is right.
func (w *World) Run(ctx context.Context, t *scenarios.Trial, r record.Recorder) error {
	return harness.Run(ctx, t, r, func(ctx context.Context, t *scenarios.Trial, o agent.Observer) (harness.Cluster, error) {
		return start(ctx, &w.options, t, records.Tap(o, w.options.Returned))
	}, w.options.Warn)
}
