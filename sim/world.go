package sim

import (
	"context"
	"math"
	"slices"

	"github.com/flowtwin/flowtwin/engine"
	"github.com/flowtwin/flowtwin/engine/draw"
	"github.com/flowtwin/flowtwin/engine/slab"
	"github.com/flowtwin/flowtwin/engine/workflow"
	"github.com/flowtwin/flowtwin/results/record"
	"github.com/flowtwin/flowtwin/scenarios"
	"github.com/flowtwin/flowtwin/scenarios/profile"
)

// World is the simulator.
type World struct {
	// Mesh solves the network as a whole even where one link provably limits
	// all flows. Results are the same; it is for measuring what that costs.
	Mesh bool
}

// Run simulates a trial and hands its records to r. It ends early, with the
// error of ctx, when ctx is cancelled; what has been recorded by then is
// right. It fails if the load would never end.
func (o World) Run(ctx context.Context, t *scenarios.Trial, r record.Recorder) error {
	w, err := newWorld(t, r, o.Mesh)
	if err != nil {
		return err
	}
	return w.run(ctx)
}

// world is the state of one simulated trial.
type world struct {
	trial    *scenarios.Trial
	recorder record.Recorder
	system   *engine.System
	draws    draw.Source
	cost     costs

	now   engine.Time
	queue queue
	nodes []node

	network network
	servers []*server // all of them: processors, memories, single links
	store   store
	// touched are the servers and domains whose next event may have changed.
	// They are looked at once, when the event that touched them has been
	// handled.
	touched        []*server
	touchedDomains []int32

	tasks    slab.Slab[task]
	messages slab.Slab[engine.Message]
	notices  slab.Slab[engine.Event] // of containers to their nodes
	units    slab.Slab[unit]
	streams  slab.Slab[stream]
	// prefetches of streams
	prefetches slab.Slab[prefetch]
	requests   slab.Slab[request]

	loads       []workflowLoad
	uncertain   []bool         // by workflow: not all data may be there
	invocations [][]invocation // by workflow and slot
	ending      []invocation   // have ended, but for tasks that still run
	caps        [][]int32      // by workflow and function: which of the nodes' classes
	announces   bool           // engines are told what is posted
	traced      bool           // tasks are recorded
	driven      bool           // functions are triggered by their data
	finished    []finished
	open        int // invocations sent and not finished
	sending     int // clients and arrival processes that are not done
	faults      []activeFault
	failed      error // the trial cannot go on
}

// costs are the profile's constants in the units of the simulation.
type costs struct {
	message                      engine.Time
	event, receive, send, probe  engine.Time
	document                     engine.Time
	engineFree                   bool
	get, put, missing            engine.Time
	revision, logging            engine.Time
	documents                    [engine.DocumentKinds]engine.Time
	memoryGet, memoryPut, lookup engine.Time
	start, cleanup               engine.Time
	notify, period               engine.Time
	disk                         engine.Time
	chunk                        int64
	append, brokerGet, consumer  engine.Time
	fifo                         bool
	race, early                  bool
	slowdown                     float64
	containerMemory              int64
	lookups                      int
	detect                       engine.Time
}

// eventKind says what an event is about.
type eventKind uint8

const (
	evArrival    eventKind = iota // a: workflow
	evClient                      // a: workflow, b: client
	evMessage                     // a: message
	evEngine                      // node: its engine has served an event
	evTimer                       // node, a: index, b: kind
	evContainer                   // node, a: index, b: generation
	evTask                        // a: task, b: generation<<8 | stage
	evDomain                      // a: domain of the network
	evShared                      // a: server whose jobs share it
	evOperation                   // a: request
	evServer                      // a server of the store is free
	evNotice                      // node, a: notice, b: incarnation
	evChunk                       // a: stream, b: generation
	evConsumer                    // a: prefetch, b: generation<<32 | stream
	evBrokerGet                   // the same
	evFaultBegin                  // a: fault
	evFaultNoticed
	evFaultEnd
)

func newWorld(t *scenarios.Trial, r record.Recorder, mesh bool) (*world, error) {
	p := t.Profile
	cluster := t.Cluster.Engine()
	system, err := engine.NewSystem(t.Workflows, cluster, t.Scheduler, p.Rules())
	if err != nil {
		return nil, err
	}
	w := &world{trial: t, recorder: r, system: system, draws: draw.New(t.Seed), traced: r.WantsTasks()}
	w.cost = costs{
		message: engine.Time(p.Network.Message),
		event:   engine.Time(p.Engine.Event), receive: engine.Time(p.Engine.Receive),
		send: engine.Time(p.Engine.Send), probe: engine.Time(p.Engine.Probe), document: engine.Time(p.Engine.Document),
		engineFree: p.Engine == (profile.Engine{}),
		get:        engine.Time(p.Store.Get), put: engine.Time(p.Store.Put), missing: engine.Time(p.Store.Missing),
		revision: engine.Time(p.Store.Documents.Revision), logging: engine.Time(p.Store.Documents.Log),
		memoryGet: engine.Time(p.Memory.Get), memoryPut: engine.Time(p.Memory.Put), lookup: engine.Time(p.Memory.Lookup),
		start: engine.Time(p.Container.Start), cleanup: engine.Time(p.Container.Cleanup), notify: engine.Time(p.Container.Notify), period: engine.Time(p.Container.CPUPeriod),
		disk: engine.Time(p.Disk.Get), chunk: int64(p.Broker.Chunk), append: engine.Time(p.Broker.Append),
		brokerGet: engine.Time(p.Broker.Get), consumer: engine.Time(p.Broker.ConsumerSetup), fifo: p.Broker.FIFOUnit,
		race: p.Dispatch.ForeachRace, early: p.Broker.EarlyStart,
		slowdown:        p.Container.Slowdown,
		containerMemory: int64(p.Container.Memory), lookups: max(p.Store.Lookups, 1),
		detect: engine.Time(p.Invocation.Detect),
	}
	w.cost.documents = [engine.DocumentKinds]engine.Time{
		engine.DocumentPlacement: engine.Time(p.Store.Documents.Placement),
		engine.DocumentAddresses: engine.Time(p.Store.Documents.Addresses),
		engine.DocumentTiming:    engine.Time(p.Store.Documents.Timing),
		engine.DocumentList:      engine.Time(p.Store.Documents.List),
		engine.DocumentRequest:   engine.Time(p.Store.Documents.Request),
	}
	if w.announces = system.Inboxes != nil; w.cost.chunk == 0 {
		w.cost.chunk = math.MaxInt64 / 2
	}
	w.store = store{
		servers: p.Store.Servers, busy: engine.Time(p.Store.Busy), up: true,
		individually: p.Store.Servers > 0 || len(t.Faults) > 0,
	}
	_, w.driven = t.Scheduler.Control.(engine.DataDriven)
	w.build(mesh)
	w.invocations = make([][]invocation, len(t.Workflows))
	for i := range t.Loads {
		w.loads = append(w.loads, newLoad(&t.Loads[i], w.draws, i, t.Workflows[i]))
		hasSwitch := slices.ContainsFunc(t.Workflows[i].Functions, func(f workflow.Function) bool {
			return f.Kind == workflow.Switch
		})
		w.uncertain = append(w.uncertain, hasSwitch || len(t.Faults) > 0)
		w.begin(i)
	}
	w.scheduleFaults()
	return w, nil
}

// run handles events until all invocations have ended and no more will come.
func (w *world) run(ctx context.Context) error {
	for handled := 0; (w.open > 0 || w.sending > 0) && w.failed == nil; handled++ {
		if handled&(1<<14-1) == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		if w.queue.len() == 0 {
			break
		}
		e := w.queue.pop()
		w.now = e.at
		w.handle(&e)
		if len(w.touched)+len(w.touchedDomains) > 0 {
			w.settle()
		}
	}
	if w.failed != nil {
		return w.failed
	}
	w.abandon()
	return ctx.Err()
}

func (w *world) handle(e *event) {
	switch e.kind {
	case evArrival:
		w.arrival(int(e.a))
	case evClient:
		w.clientSends(int(e.a), int(e.b))
	case evMessage:
		w.deliver(e.a)
	case evEngine:
		w.engineServed(engine.NodeID(e.node), uint32(e.b))
	case evTimer:
		if uint32(e.b>>8) == w.nodes[e.node].incarnation {
			w.tell(engine.NodeID(e.node), &engine.Event{
				Kind: engine.EventTimer, Timer: engine.Timer{Kind: engine.TimerKind(e.b), Index: e.a},
			})
		}
	case evContainer:
		w.containerUp(engine.NodeID(e.node), engine.ContainerID{Index: e.a, Generation: uint32(e.b)}, uint32(e.b>>32))
	case evTask:
		if t := w.tasks.At(e.a); t.generation == uint32(e.b>>8) {
			w.resume(e.a, stage(e.b&0xff))
		}
	case evDomain:
		w.domainDue(int32(e.a))
	case evShared:
		w.serverDue(w.servers[e.a])
	case evOperation:
		w.operationDone(e.a)
	case evServer:
		w.serverFree()
	case evNotice:
		w.noticed(engine.NodeID(e.node), e.a, uint32(e.b))
	case evChunk:
		if w.streams.At(e.a).generation == uint32(e.b) {
			w.chunkStored(e.a)
		}
	case evConsumer:
		w.prefetchGoesOn(e, false)
	case evBrokerGet:
		w.prefetchGoesOn(e, true)
	case evFaultBegin:
		w.faultBegins(int(e.a))
	case evFaultNoticed:
		w.faultNoticed(int(e.a))
	case evFaultEnd:
		w.faultEnds(int(e.a))
	}
}

// touch has a server looked at when the event has been handled.
func (w *world) touch(s *server) {
	if !s.touched {
		s.touched = true
		w.touched = append(w.touched, s)
	}
}

// touchDomain has a domain of the network looked at when the event has been
// handled.
func (w *world) touchDomain(domain int32) {
	if d := &w.network.domains[domain]; !d.touched {
		d.touched = true
		w.touchedDomains = append(w.touchedDomains, domain)
	}
}

// settle schedules the next event of everything that was touched.
func (w *world) settle() {
	for _, s := range w.touched {
		s.touched = false
		if at, ok := s.rearm(); ok {
			w.queue.push(event{at: at, kind: evShared, a: s.index})
		}
	}
	w.touched = w.touched[:0]
	for _, domain := range w.touchedDomains {
		w.network.domains[domain].touched = false
		if at, ok := w.network.rearm(w.now, domain); ok {
			w.queue.push(event{at: at, kind: evDomain, a: uint32(domain)})
		}
	}
	w.touchedDomains = w.touchedDomains[:0]
}

// after schedules an event.
func (w *world) after(delay engine.Time, e event) {
	e.at = w.now + delay
	w.queue.push(e)
}

// abandon reports what can never end: nothing will happen any more, yet
// invocations are open. It takes a quirk to get here, such as a pool locked
// for good, or a node that stands still for good, whose tasks the records of
// invocations that have ended long ago wait for.
func (w *world) abandon() {
	for len(w.ending) > 0 {
		w.close(&w.ending[0])
	}
	for wf := range w.invocations {
		for slot := range w.invocations[wf] {
			switch i := &w.invocations[wf][slot]; {
			case i.alive && i.ended:
				w.close(i)
			case i.alive:
				w.finish(i.id, engine.Failed)
			}
		}
	}
	w.report()
}
