package enginetest_test

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/flowtwin/flowtwin/engine"
	"github.com/flowtwin/flowtwin/engine/dataflower"
	"github.com/flowtwin/flowtwin/engine/enginetest"
	"github.com/flowtwin/flowtwin/engine/mastersp"
	"github.com/flowtwin/flowtwin/engine/placement"
	"github.com/flowtwin/flowtwin/engine/workersp"
	"github.com/flowtwin/flowtwin/engine/workflow"
)

func newDriver(t *testing.T, text string, workers int) *enginetest.Driver {
	t.Helper()
	w, err := enginetest.Workflow("flow", text)
	if err != nil {
		t.Fatal(err)
	}
	s := engine.Scheduler{Control: workersp.Scheme{}, Data: enginetest.Remote{}, Placement: placement.Spread{}}
	system, err := engine.NewSystem([]*workflow.Workflow{w}, enginetest.Cluster(workers), s, engine.Rules{Attempts: 2})
	if err != nil {
		t.Fatal(err)
	}
	return enginetest.NewDriver(system)
}

// chosen are facts by name: the items of a function's list, or the number of
// the branch of a switch, for each instance.
type chosen struct {
	w     *workflow.Workflow
	items map[string]uint32
}

func (c chosen) of(s *engine.Subject) uint32 {
	return c.items[c.w.Functions[s.Function].Name+s.Path.String()]
}
func (c chosen) Items(_ int64, s *engine.Subject, _ int32) uint32 { return c.of(s) }
func (c chosen) Branch(_ int64, s *engine.Subject) int            { return int(c.of(s)) }

// What an invocation runs follows from the control structures alone.
func TestReference(t *testing.T) {
	const nested = `
		split 1ms list=2
		choose switch foreach=split list:0.5 none:0.5
		list 1ms list=2
		deep 1ms foreach=list
		close 1ms merge after=deep
		none end
		after 1ms after=close,none
		end 1ms merge after=close,none`
	const joins = `
		start 1ms
		first switch after=start work:0.5 mosaic:0.5
		work 1ms
		second switch after=work mosaic:0.5 done:0.5
		mosaic 1ms
		done end`
	for _, test := range []struct {
		name, text string
		facts      map[string]uint32
		want       string
	}{
		{"a chain", "a 1ms\nb 1ms after=a", nil, "a b"},
		{"a foreach", "a 1ms list=9\nb 1ms foreach=a\nc 1ms merge after=b", map[string]uint32{"a": 2}, "a b[0/2] b[1/2] c"},
		{"an empty list", "a 1ms list=9\nb 1ms foreach=a\nc 1ms after=b\nd 1ms merge after=c", nil, "a d"},
		{"each branch of its own", nested,
			map[string]uint32{"split": 2, "choose[1/2]": 1, "list[0/2]": 2},
			"split list[0/2] deep[0/2][0/2] deep[0/2][1/2] close[0/2] after[0/2] after[1/2] end"},
		{"an empty list inside", nested, map[string]uint32{"split": 1}, "split list[0/1] close[0/1] after[0/1] end"},
		{"one switch", joins, nil, "start work mosaic"},
		{"neither switch", joins, map[string]uint32{"second": 1}, "start work"},
		{"the other", joins, map[string]uint32{"first": 1}, "start mosaic"},
	} {
		t.Run(test.name, func(t *testing.T) {
			d := newDriver(t, strings.ReplaceAll(test.text, "\t", ""), 1)
			w := d.System.Workflows[0]
			var all []enginetest.Instance
			for i := range enginetest.NewReference(d.System, 0, chosen{w, test.facts}, 1).Tasks() {
				all = append(all, i)
			}
			slices.SortFunc(all, func(a, b enginetest.Instance) int {
				return cmp.Or(cmp.Compare(a.Function, b.Function), cmp.Compare(a.Path.String(), b.Path.String()))
			})
			var got []string
			for _, i := range all {
				got = append(got, w.Functions[i.Function].Name+i.Path.String())
			}
			if strings.Join(got, " ") != test.want {
				t.Errorf("%v run, want %s", got, test.want)
			}
		})
	}
}

// An instance may begin when what leads to it has ended, seen through ends and
// switches.
func TestReferenceOrder(t *testing.T) {
	d := newDriver(t, `
split 1ms list=2
s switch after=split left:0.5 right:0.5
left end
right 1ms
join 1ms after=left,right
each 1ms foreach=split
merge 1ms merge after=each,join
winner 1ms merge after=each,join,right first`, 1)
	w := d.System.Workflows[0]
	facts := chosen{w, map[string]uint32{"split": 2}}
	reference := enginetest.NewReference(d.System, 0, facts, 1)
	for _, test := range []struct {
		function, ended string
		want            bool
	}{
		{"split", "", true},
		{"join", "", false},
		{"join", "split", true},
		{"merge", "each[0/2] each[1/2]", false},
		{"merge", "join each[0/2]", false},
		{"merge", "join each[0/2] each[1/2]", true},
		{"winner", "right", false}, // It does not run.
		{"winner", "each[1/2]", false},
		{"winner", "each[0/2] each[1/2]", true},
		{"winner", "join", true},
	} {
		f, _ := w.Function(test.function)
		ended := func(i, _ enginetest.Instance) bool {
			return slices.Contains(strings.Fields(test.ended), w.Functions[i.Function].Name+i.Path.String())
		}
		if got := reference.Ready(enginetest.Instance{Function: f}, ended); got != test.want {
			t.Errorf("%s when %q have ended: ready %v, want %v", test.function, test.ended, got, test.want)
		}
	}
}

// Whatever a script says, it is played or refused.
func FuzzScript(f *testing.F) {
	f.Add("place=a:1,b:2 workers=3 arrive=0,10 quirks=probe,timing,list,query,tick kill=2@50+40\n\na 10ms list=3\nb 9ms foreach=a reads=a cap=1\nc 1ms merge after=b")
	f.Add("quirks=deadlock arrive=0,5\n\na 1ms cap=1\ns switch after=a b:0.5 c:0.5\nb end\nc 2ms")
	f.Add("place=b:2 quirks=count,race,match,request,early inline=999 lifetime=9 lose=1@50\n\na 10ms list=3 posted=0.5\nb 9ms foreach=a reads=a size=2\nc 1ms merge reads=b")
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 400 || regexp.MustCompile("[0-9]{3}").MatchString(text) {
			return // It would take long.
		}
		for _, script := range []enginetest.Script{
			{Scheme: workersp.Scheme{}, Rule: enginetest.Memory{}}, {Scheme: mastersp.Scheme{}, Rule: enginetest.Memory{}},
			{Scheme: dataflower.Scheme{}, Rule: enginetest.Pipe{}},
		} {
			if trace, err := script.Play(text); err == nil && !strings.Contains(trace, "gateway   arrive flow") {
				t.Errorf("nothing has arrived:\n%s", trace)
			}
		}
	})
}

// A script that cannot be played says why.
func TestScriptErrors(t *testing.T) {
	for _, test := range []struct{ text, want string }{
		{"", "functions: a workflow needs at least one function"},
		{"workers=0\n\na 1ms", "workers=0 is not a number from 1 to 100"},
		{"arrive=now\n\na 1ms", `arrive=now: "now" is not a number of milliseconds`},
		{"kill=3@1\n\na 1ms", "kill=3@1: there is no such worker, or time"},
		{"lose=3@1\n\na 1ms", "lose=3@1: there is no such worker, or time"},
		{"lose=1\n\na 1ms", "lose: unexpected EOF"},
		{"inline=big\n\na 1ms", "inline=big is not a number"},
		{"kill=1\n\na 1ms", "kill: unexpected EOF"},
		{"quirks=probe,perl\n\na 1ms", `there is no quirk "perl"`},
		{"place=b:1\n\na 1ms", `placing functions on 2 workers: there is no function "b" to place`},
		{"workers=2\n\na 1ms after=b", `a: "after=b": there is no function "b"`},
		{"workers=2\n\na fast", `a: "fast": what is that?`},
	} {
		script := enginetest.Script{Scheme: workersp.Scheme{}, Rule: enginetest.Remote{}}
		if _, err := script.Play(test.text); err == nil || strings.TrimPrefix(err.Error(), ".") != test.want {
			t.Errorf("%q: %v, want %s", test.text, err, test.want)
		}
	}
}

// A short cut makes messages late, a long one loses them, and both ends hear
// of it.
func TestCut(t *testing.T) {
	for _, test := range []struct {
		name   string
		length engine.Time
		want   []string
	}{
		{"short", 3 * engine.Millisecond, []string{
			"0 gateway arrive flow", "3 worker-1 trigger a from gateway",
		}},
		{"long", 20 * engine.Millisecond, []string{
			"0 gateway arrive flow", "5 gateway peer-lost worker-1", "5 worker-1 peer-lost gateway",
			"20 gateway peer-back worker-1", "20 worker-1 peer-back gateway",
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			d := newDriver(t, "a 1ms", 1)
			d.Cut(0, 0, 2, test.length)
			d.Arrive(0, 0)
			if err := d.Run(1000); err != nil {
				t.Fatal(err)
			}
			var got []string
			for line := range strings.Lines(d.Trace.String()) {
				if f := strings.Fields(line); f[1] == "ms" && f[0] != "1" && len(got) < len(test.want) {
					got = append(got, f[0]+" "+strings.Join(f[2:], " "))
				}
			}
			if !slices.Equal(got, test.want) {
				t.Errorf("%q\nwant %q", got, test.want)
			}
		})
	}
}

// forgetful is a scheme that breaks the contract in a way of its own.
type forgetful struct {
	node   *engine.Node
	breaks func(n *engine.Node, i engine.Invocation)
}

func (f forgetful) New(n *engine.Node) engine.Control { return forgetful{n, f.breaks} }
func (forgetful) Participants(*engine.System, *engine.Deployment, engine.WorkflowID) []engine.NodeID {
	return nil
}
func (forgetful) Forget(engine.WorkflowID, uint32) {}
func (f forgetful) Handle(e engine.Event)          { f.breaks(f.node, e.Invocation) }

// The driver finds out when an engine, or a scheme by way of it, does what the
// contract does not allow.
func TestBreachesAreFound(t *testing.T) {
	for _, test := range []struct {
		name   string
		breaks func(n *engine.Node, i engine.Invocation)
		want   string
	}{
		{"a timer in the past", func(n *engine.Node, _ engine.Invocation) {
			n.SetTimer(engine.Timer{Kind: engine.TimerOfScheme}, n.Now()-1)
		},
			"at 1000000 ns gateway asks to timer scheme-0 0 at 0 ms: that is in the past"},
		{"a message to nobody", func(n *engine.Node, _ engine.Invocation) { n.Send(engine.Message{Kind: engine.MessageProbe, To: 9}) },
			"at 1000000 ns gateway asks to send probe to worker-0: there is no node 9"},
		{"work for what has ended", func(n *engine.Node, i engine.Invocation) {
			n.Complete(i)
			n.Evaluate(engine.Subject{Invocation: i}, 0, engine.NoCause())
		}, "at 1000000 ns gateway asks to evaluate a: it has released the invocation"},
	} {
		t.Run(test.name, func(t *testing.T) {
			d := newDriver(t, "a 1ms", 1)
			s := d.System.Scheduler
			s.Control = forgetful{breaks: test.breaks}
			system, err := engine.NewSystem(d.System.Workflows, d.System.Cluster, s, engine.Rules{})
			if err != nil {
				t.Fatal(err)
			}
			d = enginetest.NewDriver(system)
			d.Arrive(engine.Millisecond, 0)
			if err := d.Run(100); fmt.Sprint(err) != test.want {
				t.Errorf("%v, want %s", err, test.want)
			}
		})
	}
}
