package clock

import (
	"syscall"
	"time"
)

// nap waits on a thread of its own. It may wake up early, for a signal.
func nap(d time.Duration) {
	t := syscall.NsecToTimespec(int64(d))
	_ = syscall.Nanosleep(&t, nil)
}
