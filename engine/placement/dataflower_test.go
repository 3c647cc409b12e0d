package placement

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/flowtwin/flowtwin/engine/workflow"
)

// named makes a workflow of a name whose functions have those names, in that
// order; one in brackets is a switch after the one before it.
func named(t *testing.T, name, functions string) *workflow.Workflow {
	t.Helper()
	var all []workflow.Function
	for i, f := range strings.Fields(functions) {
		function := workflow.Function{Name: strings.Trim(f, "[]")}
		if strings.HasPrefix(f, "[") {
			function.Kind = workflow.Switch
			function.After = []workflow.FunctionID{workflow.FunctionID(i - 1)}
			function.Branches = []workflow.Branch{{Name: "on", To: []workflow.FunctionID{workflow.FunctionID(i + 1)}, Probability: 1}}
		}
		all = append(all, function)
	}
	w, err := workflow.New(name, all)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// on lists the functions of a workflow with the workers that they are on.
func on(w *workflow.Workflow, workers []int32) string {
	all := make([]string, len(workers))
	for f := range workers {
		all[f] = fmt.Sprintf("%s:%d", w.Functions[f].Name, workers[f])
	}
	return strings.Join(all, " ")
}

// The tables of the artefact (gateway.py, main, *_sp_ip_idx), function by
// function; svd on two workers is missing in the tag. Beyond three workers, where
// the artefact fails, functions are placed in turn.
func TestDataFlowerFollowsTheTablesOfItsArtefact(t *testing.T) {
	const (
		video      = "upload split simple_process transcode merge"
		wordcount  = "start count merge"
		recognizer = "upload adult violence extract translate censor mosaic"
		svd        = "start compute merge"
	)
	for _, test := range []struct {
		workflow, functions string
		workers             int
		want                string
	}{
		{"video", video, 1, "upload:0 split:0 simple_process:0 transcode:0 merge:0"},
		{"video", video, 2, "upload:0 split:0 simple_process:0 transcode:1 merge:1"},
		{"video", video, 3, "upload:0 split:1 simple_process:1 transcode:0 merge:1"},
		{"video", video, 4, "upload:0 split:1 simple_process:2 transcode:3 merge:0"},
		{"wordcount", wordcount, 1, "start:0 count:0 merge:0"},
		{"wordcount", wordcount, 2, "start:0 count:1 merge:1"},
		{"wordcount", wordcount, 3, "start:0 count:1 merge:2"},
		{"wordcount", wordcount, 64, "start:0 count:1 merge:2"},
		{"recognizer", recognizer, 1, "upload:0 adult:0 violence:0 extract:0 translate:0 censor:0 mosaic:0"},
		{"recognizer", recognizer, 2, "upload:0 adult:1 violence:1 extract:1 translate:1 censor:1 mosaic:1"},
		{"recognizer", recognizer, 3, "upload:0 adult:1 violence:2 extract:1 translate:0 censor:1 mosaic:2"},
		{"recognizer", recognizer, 5, "upload:0 adult:1 violence:2 extract:3 translate:4 censor:0 mosaic:1"},
		{"svd", svd, 1, "start:0 compute:0 merge:0"},
		{"svd", svd, 2, "start:0 compute:1 merge:0"},
		{"svd", svd, 3, "start:0 compute:1 merge:2"},
		{"any name", wordcount, 2, "start:0 count:1 merge:1"},
		// Others are placed in turn, even if they are called as one of these.
		{"wordcount", "start count merge report", 2, "start:0 count:1 merge:0 report:1"},
		{"svd", "begin compute merge", 2, "begin:0 compute:1 merge:0"},
		{"recognizer", "upload adult extract", 2, "upload:0 adult:1 extract:0"},
	} {
		t.Run(fmt.Sprintf("%s on %d", test.workflow, test.workers), func(t *testing.T) {
			w := named(t, test.workflow, test.functions)
			p, err := DataFlower{}.Place([]*workflow.Workflow{w}, make([]Worker, test.workers))
			if err != nil {
				t.Fatal(err)
			}
			if got := on(w, p.Worker[0]); got != test.want {
				t.Errorf("%s, want %s", got, test.want)
			}
			if !reflect.DeepEqual(p.Group, p.Worker) {
				t.Errorf("groups %v, want a group for each worker", p.Group)
			}
		})
	}
}

// Switches are properties of functions in the artefact, and so in no table.
func TestDataFlowersTablesFitWorkflowsWithSwitches(t *testing.T) {
	w := named(t, "video", "upload [decide] split simple_process transcode merge")
	p, err := DataFlower{}.Place([]*workflow.Workflow{w}, make([]Worker, 3))
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]int32{"upload": 0, "split": 1, "simple_process": 1, "transcode": 0, "merge": 1} {
		f, _ := w.Function(name)
		if p.Worker[0][f] != want {
			t.Errorf("%s is on worker %d, want %d", name, p.Worker[0][f], want)
		}
	}
}
