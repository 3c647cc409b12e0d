package engine_test

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/flowtwin/flowtwin/engine"
	"github.com/flowtwin/flowtwin/engine/enginetest"
)

const ms = engine.Millisecond

// drawKills kills workers, never the first, and lets some come back.
func drawKills(t *rapid.T, d *enginetest.Driver, most int) (kills int) {
	workers := d.System.Cluster.Workers
	if len(workers) == 1 {
		return 0
	}
	kills = drawInt(t, "kills", 0, most)
	for range kills {
		which := workers[drawInt(t, "worker", 1, len(workers)-1)]
		downtime := rapid.SampledFrom([]int{0, 0, 1, 3, 20, 100}).Draw(t, "downtime")
		d.Kill(engine.Time(drawInt(t, "killed at", 0, 150))*ms, which, engine.Time(downtime)*ms)
	}
	return kills
}

// drawLosses takes containers away.
func drawLosses(t *rapid.T, d *enginetest.Driver, dice *enginetest.Dice, most int) (losses int) {
	workers := d.System.Cluster.Workers
	losses = drawInt(t, "losses", 0, most)
	for range losses {
		which := workers[drawInt(t, "worker", 0, len(workers)-1)]
		d.LoseContainer(engine.Time(drawInt(t, "lost at", 0, 150))*ms, which, dice.Roll)
	}
	return losses
}

// drawCuts cuts machines off from each other, but never the gateway from the
// store, nor the gateway from a worker for ever. It reports whether all of
// them can be reached again in the end.
func drawCuts(t *rapid.T, d *enginetest.Driver) (heal bool) {
	c := &d.System.Cluster
	heal = true
	for range drawInt(t, "cuts", 0, 4) {
		a := c.Workers[drawInt(t, "worker", 0, len(c.Workers)-1)]
		b := rapid.SampledFrom(append([]engine.NodeID{c.Gateway, c.Storage}, c.Workers...)).Draw(t, "peer")
		length := drawInt(t, "cut for", 0, 60)
		if a == b || b == c.Gateway && length == 0 {
			continue
		}
		d.Cut(engine.Time(drawInt(t, "cut at", 0, 150))*ms, a, b, engine.Time(length)*ms)
		heal = heal && length > 0
	}
	return heal
}

// failures lets a number of things go wrong, as soon as the dice say so.
func failures(d *enginetest.Driver, dice *enginetest.Dice, starts, tasks, data int) {
	some := func(left *int) bool {
		if *left == 0 || dice.Roll(4) > 0 {
			return false
		}
		*left--
		return true
	}
	d.StartFails = func(*engine.Effect) bool { return some(&starts) }
	d.Outcome = func(*engine.Effect) engine.Outcome {
		switch {
		case some(&tasks):
			return engine.Failed
		case some(&data):
			return engine.DataLost
		default:
			return engine.Completed
		}
	}
}

// checkEnds makes sure that everything has ended once, that those which
// completed have run what they had to, and that nobody has anything left.
func checkEnds(t *rapid.T, d *enginetest.Driver, all map[int64]engine.WorkflowID) {
	if len(d.Ended) != len(all) { // that none ends twice, the driver sees to
		t.Errorf("%d invocations have arrived, %d have ended", len(all), len(d.Ended))
	}
	if err := d.CheckQuiet(); err != nil {
		t.Error(err)
	}
	for _, e := range d.Ended {
		if e.Attempts > d.System.Rules.Attempts {
			t.Errorf("invocation %d was begun %d times", e.Number, e.Attempts)
		}
		completed := map[enginetest.Instance]int{}
		for _, r := range d.Runs {
			if r.Number == e.Number && int(r.Attempt) == e.Attempts-1 && r.End > 0 && r.Outcome == engine.Completed {
				completed[enginetest.Instance{Function: r.Subject.Function, Path: r.Subject.Path}]++
			}
		}
		tasks := enginetest.NewReference(d.System, all[e.Number], d.Facts, e.Number).Tasks()
		for i, n := range completed {
			if n > 1 || !tasks[i] {
				t.Errorf("invocation %d: %v has ended well %d times", e.Number, i, n)
			}
		}
		if _, driven := d.System.Scheduler.Control.(engine.DataDriven); driven {
			continue // What has failed after it had posted everything is not missed.
		}
		if e.Outcome == engine.Completed && len(completed) != len(tasks) {
			t.Errorf("invocation %d completed with %d of %d tasks", e.Number, len(completed), len(tasks))
		}
	}
}

// While there are no more failures than the rules allow for, and a worker is
// left, every invocation completes; no time-out is needed. Each loss of a
// worker costs an attempt at most.
func TestFailuresWithinTheAllowanceAreMadeGood(t *testing.T) {
	forEachScheme(t, func(t *rapid.T, s engine.Scheme) {
		workflows, rules := drawWorkflows(t), drawRules(t)
		d, dice := newDriver(t, s, drawCluster(t, true), workflows, rules)
		kills, losses := drawKills(t, d, 3), drawLosses(t, d, dice, 4)
		starts, tasks, data := drawInt(t, "failed starts", 0, 3), drawInt(t, "failed tasks", 0, 3), drawInt(t, "data lost", 0, 2)
		failures(d, dice, starts, tasks, data)
		d.System.Rules.TaskRetries = losses + starts + tasks
		d.System.Rules.Attempts = 1 + kills + data
		if d.System.Inboxes != nil {
			d.System.Rules.Attempts += losses // of data that were not sent yet
		}
		d.ReportLate, d.Detect = drawBool(t, "report late"), engine.Time(drawInt(t, "detect", 1, 10))*ms
		all := arrivals(t, d)
		if err := d.Run(manySteps); err != nil {
			t.Fatal(err)
		}
		checkEnds(t, d, all)
		for _, e := range d.Ended {
			if e.Outcome != engine.Completed {
				t.Errorf("invocation %d: %v after %d attempts", e.Number, e.Outcome, e.Attempts)
			}
		}
	})
}

// Whatever fails, every invocation ends exactly once and leaves nothing behind
// on machines that are alive. A time-out is not needed for that, as long as
// both ends of a connection notice that it has lost messages.
func TestEveryInvocationEndsOnce(t *testing.T) {
	forEachScheme(t, func(t *rapid.T, s engine.Scheme) {
		workflows, rules := drawWorkflows(t), drawRules(t)
		rules.Timeout = engine.Time(rapid.SampledFrom([]int{0, 1, 30, 100, 400}).Draw(t, "time-out")) * ms
		rules.RunOnAfterTimeout = drawBool(t, "run on")
		rules.Pool.DeadlockAtCap = rules.Timeout > 0 && !rules.RunOnAfterTimeout && drawBool(t, "deadlock at cap")
		rules.TaskRetries, rules.Attempts = drawInt(t, "retries", 0, 3), drawInt(t, "attempts", 1, 5)
		d, dice := newDriver(t, s, drawCluster(t, true), workflows, rules)
		drawKills(t, d, 3)
		drawLosses(t, d, dice, 4)
		heal := drawCuts(t, d)
		failures(d, dice, drawInt(t, "failed starts", 0, 10), drawInt(t, "failed tasks", 0, 10), drawInt(t, "data lost", 0, 5))
		d.ReportLate, d.Detect = drawBool(t, "report late"), engine.Time(drawInt(t, "detect", 1, 10))*ms
		if drawBool(t, "lose in flight") {
			d.LoseInFlight = func() bool { return dice.Roll(2) == 0 }
		}
		if drawBool(t, "slow messages") {
			fast := d.MessageTime
			d.MessageTime = func(e *engine.Effect) engine.Time { return 10 * fast(e) }
		}
		all := arrivals(t, d)
		if err := d.Run(manySteps); err != nil {
			t.Fatal(err)
		}
		checkEnds(t, d, all)
		if !heal || rules.Pool.DeadlockAtCap {
			return
		}
		// When all is well again, nothing is amiss.
		failures(d, dice, 0, 0, 0)
		d.System.Rules.Timeout = 0
		d.Arrive(d.Now, 0)
		if err := d.Run(manySteps); err != nil {
			t.Fatal(err)
		}
		if last := d.Ended[len(d.Ended)-1]; len(d.Ended) != len(all)+1 || last.Outcome != engine.Completed {
			t.Errorf("an invocation after all failures has come to %+v", last)
		}
	})
}
