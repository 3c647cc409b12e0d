package access

import (
	"context"
	"errors"
	"time"
)

// A server that stands still, or that a partition keeps away, says nothing, and
// neither does the system for a quarter of an hour. One that has much to do says
// nothing either, for as long as that takes. Which it is shows if it is asked:
// whoever has waited for a while asks it, beside what it waits for.

// errOutOfReach is what those get whose server does not answer.
var errOutOfReach = errors.New("the storage node is out of reach")

// pinged is a server that can be asked whether it is there.
type pinged interface {
	Ping(context.Context) error
}

// reach returns a context for an operation of a server, which is cancelled when
// that has been out of reach for too long; done ends it.
func (a *Access) reach(ctx context.Context, server pinged) (_ context.Context, done func()) {
	if a.detect <= 0 {
		return ctx, func() {}
	}
	ctx, cancel := context.WithCancelCause(ctx)
	part := a.detect / 2
	timer := time.NewTimer(part)
	go func() {
		defer timer.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-timer.C:
			}
			asking, stop := context.WithTimeout(ctx, part)
			err := server.Ping(asking)
			stop()
			if err != nil && ctx.Err() == nil {
				cancel(errOutOfReach)
				return
			}
			timer.Reset(part)
		}
	}()
	return ctx, func() { cancel(nil) }
}

// within says why an operation has failed, if that is because its server is out
// of reach.
func within(ctx context.Context, err error) error {
	if err != nil && errors.Is(context.Cause(ctx), errOutOfReach) {
		return errors.Join(errOutOfReach, err)
	}
	return err
}
