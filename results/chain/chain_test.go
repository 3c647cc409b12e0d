package chain

import (
	"strings"
	"testing"

	"github.com/flowtwin/flowtwin/engine"
	"github.com/flowtwin/flowtwin/engine/data"
	"github.com/flowtwin/flowtwin/engine/workflow"
	"github.com/flowtwin/flowtwin/results/record"
)

// choosing is look → decide → (alarm or file) → answer, where the first of
// alarm and file triggers answer, and decide reads what look posts.
const (
	look = iota
	decide
	alarm
	file
	answer
)

func choosing(t *testing.T) *workflow.Workflow {
	verdict := []workflow.Output{{Name: "verdict"}}
	w, err := workflow.New("choosing", []workflow.Function{
		look:   {Name: "look", Start: true, Outputs: verdict},
		decide: {Name: "decide", Kind: workflow.Switch, After: []workflow.FunctionID{look}, Inputs: []workflow.Input{{From: look}}, Branches: []workflow.Branch{{Name: "bad", To: []workflow.FunctionID{alarm}, Probability: 0.5}, {Name: "good", To: []workflow.FunctionID{file}, Probability: 0.5}}},
		alarm:  {Name: "alarm", After: []workflow.FunctionID{decide}, Outputs: verdict},
		file:   {Name: "file", After: []workflow.FunctionID{decide}, Outputs: verdict},
		answer: {Name: "answer", After: []workflow.FunctionID{alarm, file}, Join: workflow.JoinFirst, Outputs: verdict},
	})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// ran is a task that fetched for 1, and put for 2.
func ran(f workflow.FunctionID, cause engine.Cause, node engine.NodeID, queued, started, ended engine.Time) Task {
	return Task{Cause: cause, Task: record.Task{Function: f, Node: node, Queued: queued, Started: started, Ended: ended, Fetch: 1, Put: 2}}
}

func posted(f workflow.FunctionID) engine.Cause { return engine.CausedBy(f, 0, &workflow.Path{}) }

func chosen(branch int, cause engine.Cause, on engine.NodeID) Choice {
	return Choice{Subject: engine.Subject{Function: decide}, Branch: branch, Node: on, Cause: cause}
}

func TestChain(t *testing.T) {
	for _, test := range []struct {
		name    string
		driven  bool
		observe func(*Chain)
		ended   engine.Time
		want    string
		phases  [record.Phases]engine.Time
		path    engine.Time // critical
	}{
		{
			// look is triggered at 5 and ends at 40; the switch is evaluated, and
			// file triggered at 50; it ends at 70, answer at 100 at the latest.
			name: "the ends of functions trigger",
			observe: func(c *Chain) {
				c.Ended(ran(look, engine.NoCause(), 1, 5, 10, 40))
				c.Chosen(chosen(1, engine.NoCause(), 1))
				c.Ended(ran(file, engine.NoCause(), 1, 50, 52, 70))
				c.Ended(ran(answer, engine.NoCause(), 2, 75, 80, 100))
			},
			ended: 103, want: "look file answer",
			phases: [record.Phases]engine.Time{record.Control: 5 + 10 + 5 + 3, record.Queue: 5 + 2 + 5, record.Fetch: 3, record.Put: 6, record.Compute: 27 + 15 + 17},
			path:   35 + 20 + 25,
		},
		{
			// The verdict is posted at 20, 2 of which went into the put, and what
			// follows does not wait for the end of look. The result is there at
			// 90, before answer ends.
			name: "what is posted triggers, through a switch", driven: true,
			observe: func(c *Chain) {
				c.Posted(Post{Function: look, Node: 1, At: 20, Put: 2})
				c.Ended(ran(look, engine.NoCause(), 1, 5, 10, 40))
				c.Chosen(chosen(1, posted(look), 1))
				c.Posted(Post{Function: file, Node: 1, At: 60, Put: 2})
				c.Ended(ran(file, engine.EndOf(decide), 1, 24, 30, 60))
				c.Posted(Post{Function: answer, Node: 2, At: 90, Put: 2})
				c.Ended(ran(answer, engine.EndOf(file), 2, 63, 65, 95))
			},
			ended: 93, want: "look file answer",
			phases: [record.Phases]engine.Time{record.Control: 5 + 4 + 3 + 3, record.Queue: 5 + 6 + 2, record.Fetch: 3, record.Put: 6, record.Compute: 7 + 27 + 22},
			path:   35 + 36 + 32,
		},
		{
			// The same with the switch on another node: the verdict is streamed.
			name: "what is streamed to a switch is a transfer", driven: true,
			observe: func(c *Chain) {
				c.Posted(Post{Function: look, Node: 1, Way: data.Pipe, At: 20})
				c.Ended(ran(look, engine.NoCause(), 1, 5, 10, 40))
				c.Chosen(chosen(0, posted(look), 2))
				c.Ended(ran(alarm, engine.EndOf(decide), 2, 44, 45, 60))
				c.Posted(Post{Function: answer, Node: 2, At: 90, Put: 2})
				c.Ended(ran(answer, engine.EndOf(alarm), 2, 60, 60, 95))
			},
			ended: 90, want: "look alarm answer",
			phases: [record.Phases]engine.Time{record.Control: 5, record.Transfer: 24, record.Queue: 5 + 1, record.Fetch: 3, record.Put: 4, record.Compute: 9 + 12 + 27},
			path:   35 + 16 + 35,
		},
		{
			// Node 1 had it in its memory, and answer read it from there.
			name: "what is streamed to others is none to those nearby", driven: true,
			observe: func(c *Chain) {
				c.Posted(Post{Function: look, Node: 1, Way: data.Pipe | data.Memory, At: 20})
				c.Ended(ran(look, engine.NoCause(), 1, 0, 10, 40))
				c.Posted(Post{Function: answer, Node: 1, At: 50, Put: 2})
				c.Ended(ran(answer, posted(look), 1, 22, 22, 55))
			},
			ended: 50, want: "look answer",
			phases: [record.Phases]engine.Time{record.Control: 2, record.Queue: 10, record.Fetch: 2, record.Put: 2, record.Compute: 9 + 25},
			path:   40, // as no switch led to answer
		},
		{
			name: "of an attempt that came to engine.NoCause(), nothing is on the chain",
			observe: func(c *Chain) {
				c.Ended(ran(look, engine.NoCause(), 1, 5, 10, 40))
				c.Attempt(1)
				again := ran(look, engine.NoCause(), 2, 60, 60, 90)
				again.Attempt = 1
				c.Ended(again)
			},
			ended: 90, want: "look",
			phases: [record.Phases]engine.Time{record.Control: 60, record.Fetch: 1, record.Put: 2, record.Compute: 27},
			path:   30,
		},
		{
			name: "of an invocation that never began, all is control", observe: func(*Chain) {},
			ended: 90, phases: [record.Phases]engine.Time{record.Control: 90},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := choosing(t)
			var c Chain
			for range 2 { // It may be used again.
				c.Begin(w, test.driven)
				test.observe(&c)
				i := record.Invocation{Ended: test.ended}
				c.Close(&i)
				var on []string
				for _, task := range c.Tasks() {
					if task.Critical {
						on = append(on, w.Functions[task.Function].Name)
					}
				}
				if got := strings.Join(on, " "); got != test.want {
					t.Errorf("on the chain are %s, want %s", got, test.want)
				}
				if i.Phases != test.phases {
					t.Errorf("the phases are\n%v, want\n%v", i.Phases, test.phases)
				}
				if i.CriticalTime != test.path {
					t.Errorf("the critical path takes %d, want %d", i.CriticalTime, test.path)
				}
			}
		})
	}
}
