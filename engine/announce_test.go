package engine_test

import (
	"slices"
	"testing"

	"github.com/flowtwin/flowtwin/engine"
	"github.com/flowtwin/flowtwin/engine/data"
	"github.com/flowtwin/flowtwin/engine/dataflower"
	"github.com/flowtwin/flowtwin/engine/enginetest"
	"github.com/flowtwin/flowtwin/engine/placement"
	"github.com/flowtwin/flowtwin/engine/workflow"
)

// site is worker-1 of two, which is told what happens step by step. Times are
// in ms.
type site struct {
	*testing.T
	s       *engine.System
	n       *engine.Node
	effects engine.Effects
}

// newSite returns a worker that knows of so many invocations.
func newSite(t *testing.T, text string, place map[string]int, r engine.Rules, invocations int) *site {
	t.Helper()
	w, err := enginetest.Workflow("flow", text)
	if err != nil {
		t.Fatal(err)
	}
	scheduler := engine.Scheduler{Control: dataflower.Scheme{}, Data: enginetest.Pipe{}, Placement: placement.Explicit{"flow": place}}
	system, err := engine.NewSystem([]*workflow.Workflow{w}, enginetest.Cluster(2), scheduler, r)
	if err != nil {
		t.Fatal(err)
	}
	s := &site{T: t, s: system, n: engine.NewNode(system.Cluster.Workers[0], system)}
	for i := range invocations {
		s.n.Step(0, engine.Event{Kind: engine.EventDeliver, Message: engine.Message{Kind: engine.MessageInform, Subject: s.subject(i, "", workflow.Path{})}}, &s.effects)
	}
	s.effects.Reset()
	return s
}

// subject names an instance in one of the invocations; the gateway is node 0.
func (s *site) subject(invocation int, function string, path workflow.Path) engine.Subject {
	f, _ := s.s.Workflows[0].Function(function)
	return engine.Subject{Invocation: engine.Invocation{Slot: uint32(invocation), Generation: 1}, Function: f, Path: path}
}

// step tells the worker something and makes sure that it asks for just this.
func (s *site) step(at engine.Time, e engine.Event, want ...string) {
	s.Helper()
	s.n.Step(at*engine.Millisecond, e, &s.effects)
	var got []string
	for i := range s.effects.List {
		got = append(got, s.s.DescribeEffect(&s.effects.List[i]))
	}
	s.effects.Reset()
	if !slices.Equal(got, want) {
		s.Errorf("%d ms, %s: it asks to\n%q, want\n%q", at, s.s.DescribeEvent(&e), got, want)
	}
}

func (s *site) posted(invocation int, function string, path workflow.Path, way data.Target) engine.Event {
	return engine.Event{Kind: engine.EventPosted, Message: engine.Message{Way: way, Subject: s.subject(invocation, function, path)}}
}

func (s *site) arrived(invocation int, function string, path workflow.Path) engine.Event {
	return engine.Event{Kind: engine.EventArrived, Message: engine.Message{Subject: s.subject(invocation, function, path)}}
}

func (s *site) release(invocation int) engine.Event {
	return engine.Event{Kind: engine.EventDeliver, Message: engine.Message{Kind: engine.MessageRelease, Items: 1, Subject: s.subject(invocation, "", workflow.Path{})}}
}

func timer(kind engine.TimerKind) engine.Event {
	return engine.Event{Kind: engine.EventTimer, Timer: engine.Timer{Kind: kind}}
}

var top workflow.Path

// On worker-1 are a and two readers that wait for more than a.
const shared = `
a 10ms
other 10ms
b 10ms reads=a,other
c 10ms reads=a,other
d 10ms reads=a`

var sharedAt = map[string]int{"a": 0, "other": 1, "b": 0, "c": 0, "d": 1}

// runs brings a container up, and ends the task that it is given.
func (s *site) runs(at engine.Time, container uint32, want ...string) {
	s.Helper()
	c := engine.ContainerID{Index: container, Generation: 1}
	s.n.Step(at*engine.Millisecond, engine.Event{Kind: engine.EventContainerUp, Container: c}, &s.effects)
	s.effects.Reset()
	s.step(at, engine.Event{Kind: engine.EventTaskEnded, Outcome: engine.Completed, Container: c}, want...)
}

func TestADatumIsAnnouncedOnceForEachWay(t *testing.T) {
	s := newSite(t, shared, sharedAt, engine.Rules{}, 1)
	// d alone is elsewhere; b and c hear of it from their own node only.
	s.step(10, s.posted(0, "a", top, data.Memory))
	s.step(11, s.posted(0, "a", top, data.Pipe), "send data a output 0, pipe to worker-2")
	s.step(12, s.posted(0, "a", top, data.Store), "send data a output 0, store to worker-2")
	s.step(13, s.posted(0, "a", top, data.Inline), "send data a output 0, inline to worker-2")
	// That it is on its way to others does not mean that it is here.
	s = newSite(t, "a 1ms\nb 1ms reads=a\nc 1ms reads=a", map[string]int{"a": 0, "b": 0, "c": 1}, engine.Rules{}, 1)
	s.step(10, s.posted(0, "a", top, data.Pipe), "send data a output 0, pipe to worker-2")
	s.step(11, s.posted(0, "a", top, data.Memory), "start container 0 for b")
}

func TestWhatIsStreamedIsPrefetchedAndMatchedWithItsLastByte(t *testing.T) {
	for _, early := range []bool{false, true} {
		s := newSite(t, "other 1ms\nb 10ms reads=other", map[string]int{"other": 1, "b": 0}, engine.Rules{EarlyStart: early}, 1)
		announced := engine.Event{Kind: engine.EventDeliver, Message: engine.Message{
			Kind: engine.MessageData, From: 3, Way: data.Pipe, Handle: 77, Subject: s.subject(0, "other", top),
		}}
		s.n.Step(10*ms, announced, &s.effects)
		if e := s.effects.List[0]; e.Kind != engine.EffectPrefetch || e.Handle != 77 {
			t.Errorf("the first effect is %+v, want a prefetch from handle 77", e)
		}
		if starts := len(s.effects.List) == 2; starts != early {
			t.Errorf("early start %v: with the first chunk there are %d effects", early, len(s.effects.List))
		}
		s.effects.Reset()
		if early {
			s.step(12, s.arrived(0, "other", top))
		} else {
			s.step(12, s.arrived(0, "other", top), "start container 0 for b")
			s.step(12, s.arrived(0, "other", top))
		}
	}
}

func TestTheLastReaderDropsWhatIsInMemory(t *testing.T) {
	s := newSite(t, shared, sharedAt, engine.Rules{MemoryLifetime: engine.Second}, 1)
	s.step(10, s.posted(0, "a", top, data.Memory), "timer lifetime 0 at 1010 ms")
	s.step(20, s.arrived(0, "other", top), "start container 0 for b", "start container 1 for c")
	s.runs(30, 0)
	s.runs(40, 1, "drop a output 0")
	s.step(1010, timer(engine.TimerLifetime))
}

func TestWhatOutlivesItsTimeIsSpilledOnce(t *testing.T) {
	s := newSite(t, shared, sharedAt, engine.Rules{MemoryLifetime: 100 * ms}, 2)
	s.step(10, s.posted(0, "a", top, data.Memory), "timer lifetime 0 at 110 ms")
	s.step(15, s.posted(0, "a", top, data.Memory)) // a was run again
	s.step(50, s.posted(1, "a", top, data.Memory))
	s.step(110, timer(engine.TimerLifetime), "spill a output 0", "timer lifetime 0 at 150 ms")
	s.step(150, timer(engine.TimerLifetime), "spill a output 0")
	s.step(150, s.arrived(0, "other", top), "start container 0 for b", "start container 1 for c")
	s.runs(160, 0)
	s.runs(170, 1, "drop a output 0") // also from the disk
	s.step(180, s.release(1), "release flow#1.1")
	s.step(190, s.posted(0, "other", top, data.Memory), "timer lifetime 0 at 290 ms")
}

func TestTheEndOfAnInvocationForgetsItsDataAndNoOthers(t *testing.T) {
	s := newSite(t, shared, sharedAt, engine.Rules{MemoryLifetime: 100 * ms}, 3)
	s.step(10, s.posted(0, "a", top, data.Memory), "timer lifetime 0 at 110 ms")
	s.step(20, s.posted(1, "a", top, data.Memory))
	s.step(30, s.posted(2, "a", top, data.Memory))
	s.step(40, s.release(1), "release flow#1.1")
	s.step(50, s.release(0), "release flow#0.1")
	s.step(60, s.posted(0, "a", top, data.Memory)) // Too late.
	s.step(110, timer(engine.TimerLifetime), "timer lifetime 0 at 130 ms")
	s.step(130, timer(engine.TimerLifetime), "spill a output 0")
}

func TestWhatNobodyHereReadsIsNotWatched(t *testing.T) {
	s := newSite(t, "a 1ms\nb 1ms reads=a", map[string]int{"a": 0, "b": 1}, engine.Rules{MemoryLifetime: 100 * ms}, 1)
	s.step(10, s.posted(0, "a", top, data.Memory|data.Pipe), "send data a output 0, memory+pipe to worker-2")
}

// How many instances of a foreach read it is not known, so it is kept until the
// invocation ends.
func TestWhatAForeachReadsIsKeptToTheEnd(t *testing.T) {
	s := newSite(t, "first 1ms\nlist 1ms list=2 after=first\nwork 1ms foreach=list after=list reads=list,first",
		map[string]int{"first": 0, "list": 0, "work": 0}, engine.Rules{MemoryLifetime: 100 * ms}, 1)
	s.step(10, s.posted(0, "first", top, data.Memory))
	// An item has one reader.
	s.step(20, s.posted(0, "list", top.Item(0, 2), data.Memory), "timer lifetime 0 at 120 ms", "start container 0 for work[0/2]")
	s.step(120, timer(engine.TimerLifetime), "spill list[0/2] output 0")
}

func TestDataAreMatchedOnAGrid(t *testing.T) {
	s := newSite(t, "a 1ms\nb 1ms\nc 1ms reads=a,b\nd 1ms reads=a", map[string]int{"a": 1, "b": 1, "c": 0, "d": 0}, engine.Rules{MatchTick: 10 * ms}, 3)
	s.step(3, s.arrived(0, "a", top), "timer match 0 at 10 ms")
	s.step(4, s.arrived(1, "a", top))
	s.step(5, s.arrived(0, "b", top))
	s.step(6, s.arrived(2, "a", top))
	s.step(7, s.release(1), "release flow#1.1")
	s.step(10, timer(engine.TimerMatch), "start container 0 for d", "timer match 0 at 20 ms")
	// What has ended meanwhile takes no tick.
	s.step(20, timer(engine.TimerMatch), "start container 1 for c", "timer match 0 at 30 ms")
	s.step(34, timer(engine.TimerMatch), "start container 2 for d") // The node was busy.
	// The next tick is on the grid, but not within a tick of the last.
	s.step(35, s.arrived(2, "b", top), "timer match 0 at 44 ms")
	s.step(44, timer(engine.TimerMatch), "start container 3 for c")
	s.step(75, s.arrived(2, "b", top), "timer match 0 at 80 ms")
}

// A list without items is announced like a datum, for those who read all of it.
func TestAnEmptyListIsAnnounced(t *testing.T) {
	s := newSite(t, "a 1ms list=0\nb 1ms reads=a", map[string]int{"a": 0, "b": 1}, engine.Rules{}, 1)
	trigger := engine.Event{Kind: engine.EventDeliver, Message: engine.Message{Kind: engine.MessageTrigger, Subject: s.subject(0, "a", top)}}
	s.step(1, trigger, "start container 0 for a")
	c := engine.ContainerID{Index: 0, Generation: 1}
	s.step(2, engine.Event{Kind: engine.EventContainerUp, Container: c}, "run a in container 0, to pipe")
	items := engine.Event{Kind: engine.EventItems, Container: c, Message: engine.Message{Subject: s.subject(0, "a", top)}}
	s.step(3, items, "send data a output 0, inline to worker-2")
	items.Items = 2
	s.step(4, items)
}

// A timer for an earlier container of that place does not end a hold, and what is
// held is lost like any other.
func TestHeldContainersMayBeLost(t *testing.T) {
	r := engine.Rules{Pressure: engine.Pressure{Rate: 1e6}}
	s := newSite(t, "a 1ms cap=1", map[string]int{"a": 0}, r, 3)
	trigger := func(invocation int) engine.Event {
		return engine.Event{Kind: engine.EventDeliver, Message: engine.Message{Kind: engine.MessageTrigger, Subject: s.subject(invocation, "a", top)}}
	}
	c := engine.ContainerID{Index: 0, Generation: 1}
	s.step(1, trigger(0), "start container 0 for a")
	s.step(2, engine.Event{Kind: engine.EventContainerUp, Container: c}, "run a in container 0, to memory")
	s.step(3, engine.Event{Kind: engine.EventTaskEnded, Container: c, Number: 50_000}, "timer hold 0 at 52 ms")
	s.step(10, trigger(1))
	s.step(20, engine.Event{Kind: engine.EventTimer, Timer: engine.Timer{Kind: engine.TimerHold}})
	s.step(30, engine.Event{Kind: engine.EventContainerLost, Container: c}, "start container 0 for a")
	c.Generation++
	s.n.Step(60*ms, engine.Event{Kind: engine.EventContainerUp, Container: c}, &s.effects)
	if e := s.effects.List[0]; e.Kind != engine.EffectRun || e.Held != 0 {
		t.Errorf("the first effect of the new container is %+v, want a run that was not held back", e)
	}
}

// A container is held back for the time that its task's backlog will take, and
// the task that it takes up then says how much of its wait that was.
func TestHeldContainers(t *testing.T) {
	for _, tick := range []engine.Time{0, 3} {
		w, err := enginetest.Workflow("flow", "a 1ms cap=1")
		if err != nil {
			t.Fatal(err)
		}
		r := engine.Rules{Pressure: engine.Pressure{Rate: 1e6, Least: 5 * ms}, DispatchTick: tick * ms}
		s := engine.Scheduler{Control: dataflower.Scheme{}, Data: enginetest.Pipe{}, Placement: placement.Spread{}}
		system, err := engine.NewSystem([]*workflow.Workflow{w}, enginetest.Cluster(1), s, r)
		if err != nil {
			t.Fatal(err)
		}
		d := enginetest.NewDriver(system)
		var begun, held []engine.Time
		d.ComputeTime = func(e *engine.Effect) engine.Time {
			begun, held = append(begun, d.Now), append(held, e.Held)
			return 10 * ms
		}
		d.Backlog = func(*engine.Effect) int64 { return 50_000 } // 50 ms of one core
		for _, at := range []engine.Time{0, 130, 135} {
			d.Arrive(at*ms, 0)
		}
		if err := d.Run(1000); err != nil {
			t.Fatal(err)
		}
		// A container is up after three messages and its start. Its task ends
		// after 10 ms, and it is held for the 40 that are left.
		const up = 103
		grid := func(at engine.Time) engine.Time {
			if tick == 0 {
				return at
			}
			return (at + tick - 1) / tick * tick
		}
		first := engine.Time(up + 10 + 40)
		second := grid(first) + 10 + 40
		wantBegun := []engine.Time{up * ms, grid(first) * ms, grid(second) * ms}
		wantHeld := []engine.Time{0, (first - 133) * ms, 40 * ms}
		if !slices.Equal(begun, wantBegun) || !slices.Equal(held, wantHeld) {
			t.Errorf("tick %d ms: tasks begin at %v and were held back for %v, want %v and %v", tick, begun, held, wantBegun, wantHeld)
		}
	}
}
