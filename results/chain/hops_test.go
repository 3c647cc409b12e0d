package chain

import (
	"testing"

	"github.com/flowtwin/flowtwin/engine"
	"github.com/flowtwin/flowtwin/engine/data"
	"github.com/flowtwin/flowtwin/engine/workflow"
	"github.com/flowtwin/flowtwin/results/record"
)

// first triggers second, whose trigger comes on node 2 at 55, where a container
// takes it up at 58. first ended at 40, and the agent of node 1 knew at 45.
func TestHops(t *testing.T) {
	w, err := workflow.New("two", []workflow.Function{
		{Name: "first", Start: true, Outputs: []workflow.Output{{Name: "x"}}},
		{Name: "second", After: []workflow.FunctionID{0}, Inputs: []workflow.Input{{From: 0}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	byEnd, byData := engine.NoCause(), engine.CausedBy(0, 0, &workflow.Path{})
	for _, test := range []struct {
		name   string
		cause  engine.Cause
		change func(first, second *Task, post *Post)
		want   engine.Time // 0 if it is no hop
	}{
		{"from when the agent knew of the end", byEnd, func(*Task, *Task, *Post) {}, 58 - 45},
		{"from when the output was announced", byData, func(*Task, *Task, *Post) {}, 58 - 30},
		{"what was streamed is a transfer", byData, func(_, _ *Task, p *Post) { p.Way = data.Pipe }, 0},
		{"on one node", byEnd, func(_, second *Task, _ *Post) { second.Node = 1 }, 0},
		{"data on one node", byData, func(_, second *Task, _ *Post) { second.Node = 1 }, 0},
		{"no container was there", byEnd, func(_, second *Task, _ *Post) { second.AtHand = false }, 0},
		{"it was gone when it was needed", byEnd, func(_, second *Task, _ *Post) { second.Cold = true }, 0},
		{"it was held back", byEnd, func(_, second *Task, _ *Post) { second.Held = 1 }, 0},
		{"a function that fails", byEnd, func(_, second *Task, _ *Post) { second.Outcome = engine.Failed }, 0},
		{"an attempt that came to nothing", byEnd, func(first, _ *Task, _ *Post) { first.Attempt = 1 }, 0},
	} {
		first, second := ran(0, engine.NoCause(), 1, 5, 10, 40), ran(1, test.cause, 2, 55, 58, 80)
		first.Told, second.Told, second.AtHand = 45, 81, true
		post := Post{Node: 1, Way: data.Inline, At: 30}
		test.change(&first, &second, &post)
		var c Chain
		c.Begin(w, test.cause != byEnd)
		c.Posted(post)
		c.Ended(first)
		c.Ended(second)
		i := record.Invocation{Ended: 90}
		c.Close(&i)
		if hops := min(int(test.want), 1); i.Hops != hops || i.HopTime != test.want {
			t.Errorf("%s: %d hops took %d, want %d to take %d", test.name, i.Hops, i.HopTime, hops, test.want)
		}
	}
}

// The evaluation of a switch lies between file and look: no hop. answer comes
// after the first of two.
func TestASwitchIsNoPartOfAHop(t *testing.T) {
	for _, cause := range []engine.Cause{engine.NoCause(), engine.EndOf(decide)} {
		var c Chain
		c.Begin(choosing(t), false)
		for n, task := range []Task{
			ran(look, engine.NoCause(), 1, 5, 10, 40), ran(file, cause, 2, 50, 52, 70), ran(answer, engine.EndOf(file), 1, 75, 80, 100),
		} {
			if n == 1 {
				c.Chosen(chosen(1, engine.NoCause(), 1))
			}
			task.AtHand, task.Told = true, task.Ended
			c.Ended(task)
		}
		i := record.Invocation{Ended: 103}
		c.Close(&i)
		if i.Hops != 1 || i.HopTime != 80-70 {
			t.Errorf("%d hops took %d, want that from file to answer, of 10", i.Hops, i.HopTime)
		}
	}
}

// What instances in a foreach have done is found whatever their number, and
// what an earlier attempt has done is not.
func TestInstancesAreFoundByPath(t *testing.T) {
	w, err := workflow.New("flow", []workflow.Function{{Name: "a", Start: true, Outputs: []workflow.Output{{Name: "x"}, {Name: "y"}}}})
	if err != nil {
		t.Fatal(err)
	}
	const outer, inner = 30, 40
	var c Chain
	for range 2 { // It may be used again.
		c.Begin(w, true)
		for attempt := range uint16(2) {
			c.Attempt(attempt)
			each := func(do func(path workflow.Path, at engine.Time)) {
				at := 10_000 * engine.Time(attempt)
				for o := range uint32(outer) {
					for i := range uint32(inner) {
						at++
						do(workflow.Path{}.Item(o, outer).Item(i, inner), at)
					}
				}
			}
			each(func(path workflow.Path, at engine.Time) {
				if c.Ran(0, &path) != nil || c.LatestPost(0, 1, &path) != nil {
					t.Fatalf("attempt %d: %v is there before it ran", attempt, path)
				}
				c.Posted(Post{Output: 0, Path: path, At: at, Attempt: attempt})
				c.Posted(Post{Output: 1, Path: path, At: at + 1, Attempt: attempt})
				c.Ended(Task{Attempt: attempt, Task: record.Task{Path: path, Ended: at}})
			})
			each(func(path workflow.Path, at engine.Time) {
				if task := c.Ran(0, &path); task == nil || task.Ended != at {
					t.Fatalf("attempt %d: of %v, %+v is found", attempt, path, task)
				}
				if p := c.LatestPost(0, 0, &path); p == nil || p.At != at {
					t.Fatalf("attempt %d: of output 0 of %v, %+v is found", attempt, path, p)
				}
				if p := c.LatestPost(0, 1, &path); p == nil || p.At != at+1 {
					t.Fatalf("attempt %d: of output 1 of %v, %+v is found", attempt, path, p)
				}
			})
		}
	}
}
