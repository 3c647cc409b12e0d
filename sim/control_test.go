package sim_test

import (
	"testing"

	"github.com/flowtwin/flowtwin/engine"
	"github.com/flowtwin/flowtwin/results/record"
)

// A chain of three functions on two workers shows what the control plane waits
// for before each, and after the last. By hand, with the testbed's constants: a
// message takes 300 µs; placement is looked up in 1 ms, addresses in 6.1 ms, and
// how long a function took is recorded in 2.3 ms.
func TestControlTimeIsDividedIntoMessagesAndStateSync(t *testing.T) {
	p := plan(t, `name: chain
workflows: [chain.yaml]
cluster: {workers: 2}
load: {arrivals: constant, rate: 1/min, limit: 1}
schedulers: [mastersp, workersp+hash+remote]
profile: faasflow-testbed
`)
	const us = engine.Microsecond
	type control = record.ControlTime
	for point, want := range [][]control{
		{ // Each function: (trigger or done), probe, probed, run.
			{Message: 1200 * us, Sync: 7100 * us}, // placement, addresses
			{Message: 1200 * us, Sync: 8400 * us}, // timing, addresses
			{Message: 1200 * us, Sync: 8400 * us},
			{Message: 600 * us, Sync: 2300 * us}, // done twice; timing
		},
		{ // Each function: trigger.
			{Message: 300 * us, Sync: 1000 * us}, // placement
			{Message: 300 * us, Sync: 2300 * us}, // timing
			{Message: 300 * us, Sync: 2300 * us},
			{Message: 900 * us, Sync: 2300 * us}, // done, back along all three; timing
		},
	} {
		var got []control
		for _, task := range simulate(t, p, point).tasks {
			got = append(got, task.Before)
			if last := len(got) == 3; last {
				got = append(got, task.After)
			} else if task.After != (control{}) {
				t.Errorf("%s: a task that is not the last has %+v after it", p.Points[point].Scheduler, task.After)
			}
		}
		if len(got) != len(want) {
			t.Fatalf("%s: %d stretches of control time, want %d", p.Points[point].Scheduler, len(got), len(want))
		}
		for n := range want {
			if got[n] != want[n] {
				t.Errorf("%s, stretch %d: %+v, by hand %+v", p.Points[point].Scheduler, n, got[n], want[n])
			}
		}
	}
}
