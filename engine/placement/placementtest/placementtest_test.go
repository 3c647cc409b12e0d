package placementtest

import (
	"strings"
	"testing"

	"github.com/flowtwin/flowtwin/engine/workflow"
)

const video = `
# A video is only split if it is long.
task   upload 3.8  3  1 store+memory choose
switch choose 1    0  1 store+memory split simple
task   split  0.63 3  3 memory
end    simple 1    1  1 store
output 8 upload split simple
number iterations 5
group upload choose split
group simple
`

func TestParseReadsACase(t *testing.T) {
	c, err := Parse("video", video)
	if err != nil {
		t.Fatal(err)
	}
	w := c.Workflow
	if w.Name != "video" || len(w.Functions) != 4 || c.Numbers["iterations"] != 5 {
		t.Errorf("%s has %d functions, iterations are %v", w.Name, len(w.Functions), c.Numbers["iterations"])
	}
	upload, choose, split, simple := &w.Functions[0], &w.Functions[1], &w.Functions[2], &w.Functions[3]
	if upload.Compute.Mean() != 3.8e9 || split.Planning.SplitRatio != 3 || choose.Planning.Containers != -1 {
		t.Errorf("the columns are read as %v, %v, %v", upload.Compute.Mean(), split.Planning.SplitRatio, choose.Planning.Containers)
	}
	if choose.Kind != workflow.Switch || simple.Kind != workflow.End || len(choose.Next) != 2 || choose.Next[0] != 2 {
		t.Errorf("the switch %v leads to %v", choose.Kind, choose.Next)
	}
	if w.OutputBytes(0) != 8 || len(simple.Inputs) != 1 || len(split.Inputs) != 1 {
		t.Errorf("the output of %v bytes is read by %v and %v", w.OutputBytes(0), simple.Inputs, split.Inputs)
	}
	if group := c.Group(); group[2] != 0 || group[3] != 1 || c.Targets[3] != "store" {
		t.Errorf("groups %v, targets %v", group, c.Targets)
	}
}

func TestParseSaysWhatIsWrongAndWhere(t *testing.T) {
	for _, test := range []struct{ text, err string }{
		{"task a 1 3 1", "video, line 1: a function needs"},
		{"\ntask a 1 x 1 -", `video, line 2: strconv.ParseFloat: parsing "x"`},
		{"task a 1 3 1 - b", "video, line 1: there is no function b"},
		{"task a 1 3 1 -\noutput 8", "video, line 2: an output needs"},
		{"number iterations", "video, line 1: a number needs"},
		{"functions a", `video, line 1: a line cannot begin with "functions"`},
		{"task a 1 3 1 - a", "cycle"},
	} {
		_, err := Parse("video", test.text)
		if err == nil || !strings.Contains(err.Error(), test.err) {
			t.Errorf("%q: error %v, want %q", test.text, err, test.err)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(video)
	f.Add("task a 1 3 1 - b\ntask b NaN -1 Inf -")
	f.Add("output 1 2 3\ngroup")
	f.Add("switch s 1 1 1 -")
	f.Fuzz(func(t *testing.T, text string) {
		c, err := Parse("fuzz", text)
		if err == nil && len(c.Targets) != len(c.Workflow.Functions) {
			t.Errorf("%d targets for %d functions", len(c.Targets), len(c.Workflow.Functions))
		}
	})
}
