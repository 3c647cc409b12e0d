package bodies_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/flowtwin/flowtwin/benchmarks"
	"github.com/flowtwin/flowtwin/benchmarks/bodies"
	"github.com/flowtwin/flowtwin/engine/workflow"
	"github.com/flowtwin/flowtwin/scenarios/workflowfile"
)

// data are what functions have posted: the items of a list, or what each
// instance of a foreach has posted, by the name "function.output".
type data map[string][][]byte

// task is a Call without any emulator.
type task struct {
	workflow  *workflow.Workflow
	function  *workflow.Function
	index, of int
	all       data
	chosen    string
}

func (k *task) Items(name string) ([][]byte, error) {
	for _, in := range k.function.Inputs {
		if in.From == workflow.GlobalInput {
			if name == "global_inputs.0" {
				content, err := bodies.Shipped{}.GlobalInput(k.workflow, k.function.Name, 0)
				return [][]byte{content}, err
			}
			continue
		}
		from := &k.workflow.Functions[in.From]
		if name != from.Name+"."+from.Outputs[in.Output].Name {
			continue
		}
		items := k.all[name]
		switch {
		case in.Access == workflow.AccessAllItems || in.Access == workflow.AccessGather:
			return items, nil
		case in.Access == workflow.AccessItem || from.Scope != 0:
			return items[k.index : k.index+1], nil
		default:
			return items[:1], nil
		}
	}
	return nil, fmt.Errorf("%s has no input %s", k.function.Name, name)
}

func (k *task) Input(name string) ([]byte, error) {
	items, err := k.Items(name)
	if err != nil {
		return nil, err
	}
	return items[0], nil
}

func (k *task) Index() (int, int) { return k.index, k.of }

func (k *task) output(name string) *workflow.Output {
	i := slices.IndexFunc(k.function.Outputs, func(o workflow.Output) bool { return o.Name == name })
	return &k.function.Outputs[i]
}

func (k *task) Fan(output string) int { return int(k.output(output).Items.Mean()) }

func (k *task) Size(output string, item int) int64 {
	return int64(k.output(output).Size.Quantile(0.5, uint32(item)))
}

func (k *task) Post(output string, payload []byte) error {
	name := k.function.Name + "." + output
	k.all[name] = append(k.all[name], payload)
	return nil
}

func (k *task) PostList(output string, items [][]byte) error {
	if len(items) != k.Fan(output) {
		return fmt.Errorf("%d items, not %d", len(items), k.Fan(output))
	}
	k.all[k.function.Name+"."+output] = items
	return nil
}

func (k *task) Choose(branch string) error { k.chosen = branch; return nil }

// builtIn returns a built-in workflow with some of its text replaced, to have
// it smaller.
func builtIn(t *testing.T, name string, oldnew ...string) *workflow.Workflow {
	t.Helper()
	source, err := benchmarks.Source(name)
	if err != nil {
		t.Fatal(err)
	}
	w, err := workflowfile.Parse(name, []byte(strings.NewReplacer(oldnew...).Replace(string(source))))
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// runAll runs a workflow, one function after the other, and returns what all
// have posted, and the branches that were taken.
func runAll(t *testing.T, w *workflow.Workflow) (data, map[string]string) {
	t.Helper()
	all, taken := data{}, map[string]string{}
	live := make([]bool, len(w.Functions))
	for _, f := range w.Starts {
		live[f] = true
	}
	for _, id := range w.Order {
		f := &w.Functions[id]
		if !live[id] {
			continue
		}
		next := f.Next
		if f.Kind != workflow.End {
			body, err := bodies.Shipped{}.Body(t.Context(), w, f.Name)
			if err != nil {
				t.Fatal(err)
			}
			instances := 1
			if f.Scope != 0 {
				over := w.Scopes[f.Scope].Over
				instances = len(all[w.Functions[over.Function].Name+"."+w.Functions[over.Function].Outputs[over.Output].Name])
			}
			for i := range instances {
				k := &task{workflow: w, function: f, index: i, of: instances, all: all}
				if err := body(t.Context(), k); err != nil {
					t.Fatalf("%s %d: %v", f.Name, i, err)
				}
				if f.Kind == workflow.Switch {
					taken[f.Name] = k.chosen
					b := slices.IndexFunc(f.Branches, func(b workflow.Branch) bool { return b.Name == k.chosen })
					next = f.Branches[b].To
				}
			}
		}
		for _, n := range next {
			live[n] = true
		}
	}
	return all, taken
}

// There are bodies for the applications, in both versions and all variants,
// and for none of the scientific workflows.
func TestWhichWorkflowsHaveBodies(t *testing.T) {
	names := benchmarks.Names()
	for _, f := range benchmarks.Families() {
		names = append(names, f.Workflows()...)
	}
	for _, name := range names {
		w, err := benchmarks.Lookup(name)
		if err != nil {
			t.Fatal(err)
		}
		scientific := slices.ContainsFunc(benchmarks.Generated(), func(g string) bool { return strings.HasSuffix(name, "/"+g) })
		err = bodies.Shipped{}.Check(w)
		if scientific != errors.Is(err, bodies.ErrNone) || !scientific && err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if scientific && !strings.Contains(err.Error(), "there are for fileprocessing, recognizer, svd, video, wordcount") {
			t.Errorf("the error does not say what there is: %v", err)
		}
	}
}

// A workflow of one's own is not taken for a built-in one because of its name.
func TestALikeNameIsNotEnough(t *testing.T) {
	for want, changes := range map[string][]string{
		"count posts [words]": {"count.wordcount", "count.words", "      wordcount: {", "      words: {"},
		"a function sum":      {"  merge:\n    merge", "  sum:\n    merge"},
	} {
		err := bodies.Shipped{}.Check(builtIn(t, "faasflow/wordcount", changes...))
		if !errors.Is(err, bodies.ErrNone) || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want it to say %q", err, want)
		}
	}
}

// What is no function that runs, or no global input, is an error.
func TestAskingForWhatIsNotThere(t *testing.T) {
	w := builtIn(t, "faasflow/recognizer")
	for _, function := range []string{"nobody", "END"} {
		if _, err := (bodies.Shipped{}).Body(context.Background(), w, function); !errors.Is(err, bodies.ErrNone) {
			t.Errorf("the body of %s: %v", function, err)
		}
	}
	for _, n := range []int{-1, 0} {
		if _, err := (bodies.Shipped{}).GlobalInput(w, "upload", n); !errors.Is(err, bodies.ErrNone) {
			t.Errorf("global input %d: %v", n, err)
		}
	}
}
