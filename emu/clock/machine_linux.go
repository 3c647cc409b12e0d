package clock

import (
	"time"

	"golang.org/x/sys/unix"
)

// machineTime is the time since the machine was started, which is the same in
// all of its containers.
func machineTime() int64 {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &t); err != nil {
		return time.Now().UnixNano()
	}
	return t.Nano()
}
