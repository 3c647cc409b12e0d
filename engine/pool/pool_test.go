package pool_test

import (
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/flowtwin/flowtwin/engine/pool"
)

// up makes a pool of containers 0 to n-1, all busy.
func up(n int) *pool.Pool {
	p := &pool.Pool{}
	for range n {
		p.Start()
		p.Up()
	}
	return p
}

func TestTheContainerUsedLastIsUsedFirst(t *testing.T) {
	p := up(3)
	for _, c := range []uint32{1, 0, 2} {
		p.Give(c, 0)
	}
	for _, want := range []uint32{2, 0, 1} {
		if c, ok := p.Take(); !ok || c != want {
			t.Errorf("took %d, want %d", c, want)
		}
	}
	if _, ok := p.Take(); ok || p.Idle() {
		t.Error("an empty pool has a container")
	}
}

func TestTheContainerIdleForLongestIsStoppedFirst(t *testing.T) {
	r := &pool.Rules{KeepAlive: 100}
	p := up(3)
	p.Give(0, 0)
	p.Give(1, 10)
	p.Give(2, 20)
	p.Take()
	p.Give(2, 50) // used again meanwhile
	for _, step := range []struct {
		now     int64
		want    uint32
		expired bool
		next    int64
	}{
		{now: 99, next: 100},
		{now: 100, want: 0, expired: true},
		{now: 100, next: 110},
		{now: 200, want: 1, expired: true},
		{now: 200, want: 2, expired: true},
		{now: 200, next: 0}, // none is left to look at
	} {
		c, expired, next := p.Expire(step.now, r)
		if c != step.want || expired != step.expired || next != step.next {
			t.Errorf("at %d: container %d, %v, next %d; want %+v", step.now, c, expired, next, step)
		}
	}
	if _, _, all := p.Count(); all != 0 {
		t.Errorf("%d containers are left", all)
	}
}

func TestExpiryLooksOnAGrid(t *testing.T) {
	for _, test := range []struct {
		keepAlive, checkEvery, since, want int64
	}{
		{100, 0, 7, 107},
		{100, 1, 7, 107},
		{100, 50, 0, 100},
		{100, 50, 1, 150},
		{100, 50, 50, 150},
	} {
		r := pool.Rules{KeepAlive: test.keepAlive, CheckEvery: test.checkEvery}
		if got := r.Expiry(test.since); got != test.want {
			t.Errorf("%+v idle since %d: %d, want %d", r, test.since, got, test.want)
		}
	}
}

func TestContainersAreKeptForEverWithoutKeepAlive(t *testing.T) {
	p := up(1)
	p.Give(0, 0)
	if _, expired, next := p.Expire(math.MaxInt64, &pool.Rules{}); expired || next != 0 {
		t.Error("the container is not kept")
	}
}

func TestCap(t *testing.T) {
	for _, test := range []struct {
		name        string
		cap         int
		rules       pool.Rules
		want, limit int
	}{
		{"no cap", 0, pool.Rules{}, 100, math.MaxInt},
		{"no cap, off by one", 0, pool.Rules{CapOffByOne: true}, 100, math.MaxInt},
		{"a cap", 3, pool.Rules{}, 3, 3},
		{"as in the artefact, one more", 3, pool.Rules{CapOffByOne: true}, 4, 4},
		{"a huge cap", math.MaxInt, pool.Rules{CapOffByOne: true}, 100, math.MaxInt},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := &pool.Pool{}
			n := 0
			for n < 100 && p.Room(test.cap, &test.rules) {
				p.Start()
				n++
			}
			if n != test.want || test.rules.Limit(test.cap) != test.limit {
				t.Errorf("%d containers started, want %d; limit %d", n, test.want, test.rules.Limit(test.cap))
			}
		})
	}
}

func TestGoneContainersMakeRoom(t *testing.T) {
	p := &pool.Pool{}
	r := &pool.Rules{}
	p.Start()
	if p.Room(1, r) {
		t.Error("one that is starting takes no room")
	}
	p.Gone(true)
	if !p.Room(1, r) || p.Starting() != 0 {
		t.Error("one that failed to start takes room")
	}
	p = up(1)
	p.Gone(false)
	if !p.Room(1, r) {
		t.Error("one that was lost takes room")
	}
}

// The artefact returns from a pool at its cap without giving back the lock:
// nothing is handed out any more, also of what is given back.
func TestDeadlockAtCap(t *testing.T) {
	r := &pool.Rules{DeadlockAtCap: true}
	p := up(2)
	p.Give(0, 0)
	if p.Room(3, r); p.Locked() {
		t.Error("the pool is locked below its cap")
	}
	if p.Room(2, r) || !p.Locked() {
		t.Error("the pool is not locked at its cap")
	}
	p.Give(1, 0)
	if _, ok := p.Take(); ok || p.Idle() || p.Room(0, r) || p.Room(10, r) {
		t.Error("a locked pool hands out containers")
	}
	// Without the quirk being refused does no harm.
	p = up(1)
	if p.Room(1, &pool.Rules{}) || p.Locked() {
		t.Error("the pool is locked without the quirk")
	}
}

func TestRemove(t *testing.T) {
	p := up(3)
	for c := range uint32(3) {
		p.Give(c, int64(c))
	}
	if !p.Remove(1) || p.Remove(1) || p.Remove(9) {
		t.Error("removed what is not there, or not what is")
	}
	var left []uint32
	for p.Idle() {
		c, _ := p.Take()
		left = append(left, c)
	}
	if !slices.Equal(left, []uint32{2, 0}) {
		t.Errorf("left are %v", left)
	}
}

// Whatever happens, the pool counts what a list of states says.
func TestPoolCountsLikeAList(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := &pool.Rules{KeepAlive: 10, CapOffByOne: rapid.Bool().Draw(t, "off by one")}
		p := &pool.Pool{}
		var idle []uint32 // in the order they were given back
		since := map[uint32]int64{}
		busy := map[uint32]bool{}
		starting, next, now := 0, uint32(0), int64(0)
		anyBusy := func() (uint32, bool) {
			for c := range next {
				if busy[c] {
					return c, true
				}
			}
			return 0, false
		}
		t.Repeat(map[string]func(*rapid.T){
			"start": func(t *rapid.T) {
				if got, want := p.Room(3, r), len(idle)+len(busy)+starting < r.Limit(3); got != want {
					t.Fatalf("room: %v, want %v", got, want)
				} else if got {
					p.Start()
					starting++
				}
			},
			"up": func(*rapid.T) {
				if starting > 0 {
					p.Up()
					starting--
					busy[next] = true
					next++
				}
			},
			"give": func(*rapid.T) {
				if c, ok := anyBusy(); ok {
					p.Give(c, now)
					delete(busy, c)
					idle, since[c] = append(idle, c), now
				}
			},
			"take": func(t *rapid.T) {
				c, ok := p.Take()
				if ok != (len(idle) > 0) || ok && c != idle[len(idle)-1] {
					t.Fatalf("took %d, %v of %v", c, ok, idle)
				}
				if ok {
					idle, busy[c] = idle[:len(idle)-1], true
				}
			},
			"lose": func(t *rapid.T) {
				switch {
				case len(idle) > 0 && rapid.Bool().Draw(t, "idle"):
					p.Remove(idle[0])
					p.Gone(false)
					idle = idle[1:]
				case starting > 0:
					p.Gone(true)
					starting--
				}
			},
			"age": func(t *rapid.T) {
				now += 5
				for {
					c, expired, next := p.Expire(now, r)
					if !expired {
						if want := len(idle) > 0; want != (next > now) || want && next != since[idle[0]]+10 {
							t.Fatalf("next look at %d, idle %v since %v", next, idle, since)
						}
						return
					}
					if c != idle[0] || since[c]+10 > now {
						t.Fatalf("%d expired at %d, idle %v since %v", c, now, idle, since)
					}
					idle = idle[1:]
				}
			},
			"": func(t *rapid.T) {
				i, s, all := p.Count()
				if i != len(idle) || s != starting || all != len(idle)+starting+len(busy) || p.Idle() != (i > 0) || p.Starting() != s {
					t.Fatalf("counts %d idle, %d starting, %d in all; there are %v, %d, %v", i, s, all, idle, starting, busy)
				}
			},
		})
	})
}

func TestPoolAllocatesNothingInTheSteadyState(t *testing.T) {
	p := up(2)
	r := &pool.Rules{KeepAlive: 10}
	now := int64(0)
	if n := testing.AllocsPerRun(100, func() {
		p.Give(0, now)
		p.Give(1, now)
		p.Take()
		now += 20
		p.Expire(now, r)
		p.Room(2, r)
		p.Start()
		p.Up()
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
