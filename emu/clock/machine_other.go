//go:build !linux

package clock

import "time"

// machineTime is the machine's time of day.
func machineTime() int64 { return time.Now().UnixNano() }
