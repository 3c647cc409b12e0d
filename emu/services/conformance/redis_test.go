package conformance

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/flowtwin/flowtwin/emu/services"
	"github.com/flowtwin/flowtwin/emu/services/embedded"
	"github.com/flowtwin/flowtwin/emu/services/memory"
	"github.com/redis/go-redis/v9"
)

func TestRedis(t *testing.T) {
	against(t, "FLOWTWIN_REDIS_ADDR", func(t *testing.T) server {
		s, err := embedded.StartRedis("")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close() })
		return server{s.Address(), "unnamed server, Redis protocol"}
	}, redisSuite)
}

func redisSuite(t *testing.T, s server) {
	open := func(t *testing.T, namespace string) *memory.Store {
		t.Helper()
		store, err := memory.Open(testContext(t), memory.Options{Address: s.address, Namespace: namespace})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if _, err := store.Clear(context.Background()); err != nil {
				t.Error(err)
			}
			store.Close()
		})
		return store
	}
	key := func(invocation, output string) services.Key {
		return services.Key{Invocation: invocation, Function: "split", Path: "0.1", Output: output}
	}

	t.Run("the server names itself", func(t *testing.T) {
		served := open(t, unique("node")).Served()
		t.Logf("served by %s", served)
		if s.served != "" && served != s.served || served == "" {
			t.Errorf("served by %q, want %q", served, s.served)
		}
	})

	t.Run("what is put is got, of any size and content", func(t *testing.T) {
		ctx, store := testContext(t), open(t, unique("node"))
		var payload, stored int64
		for i, size := range []int{0, 1, 511, 4096, 1 << 20, 5 << 20} {
			k, data := key("request", fmt.Sprint("out", i)), pattern(size, byte(i))
			if err := store.Put(ctx, k, data); err != nil {
				t.Fatal(err)
			}
			got, err := store.Get(ctx, k)
			if err != nil || !bytes.Equal(got, data) {
				t.Errorf("%d bytes: got %d, %v", size, len(got), err)
			}
			payload += int64(size)
			stored += int64(size) + services.TrailerSize
		}
		traffic := store.Traffic()
		if traffic.PayloadPut != payload || traffic.PayloadGot != payload || traffic.StoredPut != stored || traffic.Puts != 6 || traffic.Gets != 6 {
			t.Errorf("traffic %+v, want %d bytes of payload, %d stored", traffic, payload, stored)
		}
		if objects, bytes, err := store.Usage(ctx); objects != 6 || bytes != stored || err != nil {
			t.Errorf("the server holds %d objects of %d bytes (%v), want 6 of %d", objects, bytes, err, stored)
		}
	})

	t.Run("the last put counts", func(t *testing.T) {
		ctx, store, k := testContext(t), open(t, unique("node")), key("request", "out")
		for _, text := range []string{"first", "second"} {
			if err := store.Put(ctx, k, []byte(text)); err != nil {
				t.Fatal(err)
			}
		}
		if got, err := store.Get(ctx, k); string(got) != "second" || err != nil {
			t.Errorf("got %q, %v", got, err)
		}
	})

	t.Run("what is not there is not found", func(t *testing.T) {
		ctx, store := testContext(t), open(t, unique("node"))
		if _, err := store.Get(ctx, key("request", "out")); !errors.Is(err, services.ErrNotFound) {
			t.Errorf("error %v", err)
		}
		if n, err := store.Delete(ctx, key("request", "out")); n != 0 || err != nil {
			t.Errorf("deleted %d, %v", n, err)
		}
	})

	t.Run("an invocation is deleted, and none whose name is like it", func(t *testing.T) {
		ctx, store := testContext(t), open(t, unique("node"))
		const many = 2500 // More than one step of a scan.
		for i := range many {
			if err := store.Put(ctx, key("request*1", fmt.Sprint(i)), nil); err != nil {
				t.Fatal(err)
			}
		}
		others := []string{"request*", "request*10", "request", "requestX1", "request*1/split"}
		for _, other := range others {
			if err := store.Put(ctx, key(other, "out"), nil); err != nil {
				t.Fatal(err)
			}
		}
		if n, err := store.DeleteInvocation(ctx, "request*1"); n != many || err != nil {
			t.Errorf("deleted %d, %v, want %d", n, err, many)
		}
		for _, other := range others {
			if _, err := store.Get(ctx, key(other, "out")); err != nil {
				t.Error(err)
			}
		}
	})

	t.Run("nodes that share a server do not see each other", func(t *testing.T) {
		ctx, name := testContext(t), unique("node")
		one, other := open(t, name+"1"), open(t, name+"10")
		for _, store := range []*memory.Store{one, other} {
			if err := store.Put(ctx, key("request", "out"), []byte{1}); err != nil {
				t.Fatal(err)
			}
		}
		if n, err := one.Clear(ctx); n != 1 || err != nil {
			t.Errorf("cleared %d, %v", n, err)
		}
		if objects, _, err := other.Usage(ctx); objects != 1 || err != nil {
			t.Errorf("the other holds %d, %v", objects, err)
		}
	})

	t.Run("damage is noticed", func(t *testing.T) {
		ctx, name := testContext(t), unique("node")
		store, raw := open(t, name), redis.NewClient(&redis.Options{Addr: s.address, Protocol: 2, DisableIdentity: true})
		defer raw.Close()
		k, other := key("request", "out"), key("request", "other")
		at, otherAt := name+":"+k.String(), name+":"+other.String()
		for what, damage := range map[string]func() error{
			"a bit is flipped":       func() error { return raw.SetBit(ctx, at, 7, 1).Err() },
			"bytes are missing":      func() error { return raw.Set(ctx, at, "abc", 0).Err() },
			"bytes are added":        func() error { return raw.Append(ctx, at, "x").Err() },
			"it is another's object": func() error { return raw.Rename(ctx, otherAt, at).Err() },
		} {
			if err := errors.Join(store.Put(ctx, k, []byte("payload")), store.Put(ctx, other, []byte("payload"))); err != nil {
				t.Fatal(err)
			}
			if err := damage(); err != nil {
				t.Fatal(what, err)
			}
			if got, err := store.Get(ctx, k); !errors.Is(err, services.ErrDamaged) {
				t.Errorf("%s: got %q, %v", what, got, err)
			}
		}
	})

	t.Run("many use it at once", func(t *testing.T) {
		ctx, store := testContext(t), open(t, unique("node"))
		var group sync.WaitGroup
		for i := range 16 {
			group.Go(func() {
				for j := range 25 {
					k, data := key(fmt.Sprint("request", i), fmt.Sprint(j)), pattern(10_000, byte(i+j))
					if err := store.Put(ctx, k, data); err != nil {
						t.Error(err)
					}
					if got, err := store.Get(ctx, k); err != nil || !bytes.Equal(got, data) {
						t.Errorf("got %d bytes, %v", len(got), err)
					}
				}
			})
		}
		group.Wait()
	})

	t.Run("a wait ends with its context", func(t *testing.T) {
		store := open(t, unique("node"))
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := store.Put(ctx, key("request", "out"), nil); !errors.Is(err, context.Canceled) {
			t.Errorf("error %v", err)
		}
	})

	t.Run("its own network counters agree with ours", func(t *testing.T) {
		ctx, store := testContext(t), open(t, unique("node"))
		before, _, counted, err := store.Network(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if !counted {
			t.Skip("this server does not count")
		}
		const operations, size = 20, 1 << 20
		for i := range operations {
			if err := store.Put(ctx, key("request", fmt.Sprint(i)), pattern(size, byte(i))); err != nil {
				t.Fatal(err)
			}
		}
		after, _, _, err := store.Network(ctx)
		if err != nil {
			t.Fatal(err)
		}
		stored := store.Traffic().StoredPut
		if extra := after - before - stored; extra < 0 || extra > stored/50+operations*1024 {
			t.Errorf("the server received %d bytes more than the %d that were stored", extra, stored)
		}
	})
}

func TestRedisThatIsNotThere(t *testing.T) {
	s, err := embedded.StartRedis("")
	if err != nil {
		t.Fatal(err)
	}
	s.Close()
	if store, err := memory.Open(testContext(t), memory.Options{Address: s.Address()}); err == nil {
		store.Close()
		t.Error("it was opened")
	}
}
