package benchmarks_test

import (
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/flowtwin/flowtwin/benchmarks"
	"github.com/flowtwin/flowtwin/engine/workflow"
	"github.com/flowtwin/flowtwin/scenarios/workflowfile"
)

// The functions, edges and cores are those of the artefact's workflow
// descriptions, with a function of its own for each switch.
func TestDataFlowersWorkflows(t *testing.T) {
	for name, want := range map[string]struct {
		edges string
		cores string
		// Of one request, without what never runs.
		instances float64
		bulk      float64 // bytes of outputs of more than 16 KiB
	}{
		"recognizer": {
			"upload → adult violence mosaic* extract*; adult → adult_switch; violence → violence_switch; adult_switch → mosaic extract; " +
				"violence_switch → mosaic extract; extract → translate; translate → censor; censor → censor_switch; censor_switch → mosaic done",
			"upload 0.2, adult 1, violence 1, mosaic 0.2, extract 0.5, translate 0.2, censor 0.2", 7, 2285881,
		},
		"svd": {"start → compute; compute → merge", "start 0.2, compute 0.1, merge 0.2", 18, 65609968},
		"video": {
			"upload → upload_switch split* simple_process* transcode* merge*; upload_switch → split simple_process; split → transcode merge*; transcode → merge",
			"upload 0.2, split 0.2, simple_process 0.5, transcode 0.5, merge 0.2", 7, 44636000,
		},
		"wordcount": {"start → count; count → merge", "start 0.2, count 0.2, merge 0.2", 10, 4120441},
	} {
		w := lookup(t, "dataflower/"+name)
		if got := edgesOf(w); got != want.edges || w.Name != name {
			t.Errorf("%s has edges\n%s\nwant\n%s", w.Name, got, want.edges)
		}
		var cores []string
		instances, bulk := 0.0, 0.0
		for i := range w.Functions {
			f := &w.Functions[i]
			if f.Kind != workflow.Task {
				continue
			}
			cores = append(cores, fmt.Sprintf("%s %v", f.Name, f.CPU))
			if f.Memory != int64(f.CPU*1280)<<20 || f.MaxContainers != 0 {
				t.Errorf("%s: %s has %d bytes and at most %d containers", name, f.Name, f.Memory, f.MaxContainers)
			}
			if f.Name == "simple_process" {
				continue
			}
			instances += w.Instances(f.Scope)
			for o := range f.Outputs {
				if size := f.Outputs[o].Size; size.Mean() > 16<<10 {
					items := w.Instances(f.Scope)
					if f.Outputs[o].List {
						items *= f.Outputs[o].Items.Mean()
					}
					bulk += size.Total(items)
				}
			}
		}
		if got := strings.Join(cores, ", "); got != want.cores || instances != want.instances || bulk != want.bulk {
			t.Errorf("%s: cores %s; %v instances and %v bytes in bulk; want %+v", name, got, instances, bulk, want)
		}
	}
}

// edgesOf shows the control edges, and with a star the readers that a function
// does not trigger.
func edgesOf(w *workflow.Workflow) string {
	var text []string
	for i := range w.Functions {
		var to []string
		for _, next := range w.Functions[i].Next {
			to = append(to, w.Functions[next].Name)
		}
		for j := range w.Functions {
			reads := slices.ContainsFunc(w.Functions[j].Inputs, func(in workflow.Input) bool { return in.From == workflow.FunctionID(i) })
			if reads && !slices.Contains(w.Functions[i].Next, workflow.FunctionID(j)) {
				to = append(to, w.Functions[j].Name+"*")
			}
		}
		if to != nil {
			text = append(text, w.Functions[i].Name+" → "+strings.Join(to, " "))
		}
	}
	return strings.Join(text, "; ")
}

// The recognizer goes the way that was recorded: nothing is found in the
// picture, but in its text, and the mosaic waits for no verdict but that.
func TestTheMosaicIsTriggeredByTheFirst(t *testing.T) {
	w := lookup(t, "dataflower/recognizer")
	for name, want := range map[string]float64{"adult_switch": 0, "violence_switch": 0, "censor_switch": 1} {
		id, _ := w.Function(name)
		if got := w.Functions[id].Branches[0]; got.Name != "illegal" || got.Probability != want {
			t.Errorf("%s: %+v, want %v", name, got, want)
		}
	}
	id, _ := w.Function("mosaic")
	if mosaic := &w.Functions[id]; mosaic.Join != workflow.JoinFirst || len(mosaic.After) != 3 {
		t.Errorf("%v of %v", mosaic.Join, mosaic.After)
	}
	path, ns := w.CriticalPath()
	if last := w.Functions[path[len(path)-1]].Name; last != "mosaic" || math.Abs(ns/1e9-3.4556) > 0.001 {
		t.Errorf("the critical path takes %v s and ends at %s", ns/1e9, last)
	}
}

// What DataFlower's open-loop run recorded on the workers, in ms, and how
// compute times follow from it: a call costs 1.5 ms, and of each input of more
// than 16 KiB every byte 1/400 000 ms and each datum 0.5 ms, one after the
// other. (The workflows say where the numbers come from.)
func TestComputeTimesAreThoseRecordedLessFetchAndCall(t *testing.T) {
	const call, datum, bytesPerMs, inline = 1.5, 0.5, 400e3, 16 << 10
	type recorded struct{ mean, min, p50, p90, max float64 }
	for name, functions := range map[string]map[string]recorded{
		"recognizer": {
			"upload": {3.3, 3.0, 3.2, 3.6, 3.7},
			// Those of the two together: means 2057.9 and 2372.8, a median
			// between 2101.2 and 2273.2, adult's 80th percentile.
			"violence":  {2215.3, 2020, 2187.2, 2419, 2485.7},
			"adult":     {2215.3, 2020, 2187.2, 2419, 2485.7},
			"extract":   {677.3, 633.3, 675.5, 725.1, 748.1},
			"translate": {108.6, 108.3, 108.6, 108.8, 109.1},
			"censor":    {5.7, 5.2, 5.7, 5.9, 6.3},
			"mosaic":    {473.0, 461, 472.8, 477.5, 481.4},
		},
		"svd": {
			"start":   {13.2, 12.7, 13.2, 13.4, 13.6},
			"compute": {1145.7, 833.6, 1092.1, 1420.1, 1742.1},
			"merge":   {2425.9, 2339.6, 2427, 2478.4, 2524.5},
		},
		"video": {
			"upload":    {950.1, 857.2, 947.1, 1001.9, 1011.3},
			"split":     {774.4, 720, 785.1, 799, 806.2},
			"transcode": {742.9, 480.4, 808.2, 841.8, 868.8},
			"merge":     {260.0, 227.6, 260.4, 274.4, 296.3},
		},
		"wordcount": {
			"start": {15.0, 14.5, 15.0, 15.4, 15.6},
			"count": {119.3, 12.5, 113.5, 235.4, 295.8},
			"merge": {53.0, 39.8, 52.6, 61.2, 76.8},
		},
	} {
		w := lookup(t, "dataflower/"+name)
		for i := range w.Functions {
			f, id := &w.Functions[i], workflow.FunctionID(i)
			if f.Kind != workflow.Task || f.Name == "simple_process" {
				continue
			}
			want, known := functions[f.Name]
			if !known {
				t.Errorf("%s: nothing is recorded of %s", name, f.Name)
				continue
			}
			var times []float64
			for item := range uint32(w.Instances(f.Scope)) {
				other := call
				for _, in := range f.Inputs {
					from := &w.Functions[in.From]
					size, n := from.Outputs[in.Output].Size, 1.0
					if size.Mean() <= inline {
						continue
					}
					bytes := size.Quantile(0.5, item)
					if in.Access == workflow.AccessGather {
						n = w.Instances(from.Scope)
						bytes = w.InputBytes(id, in)
					}
					other += datum*n + bytes/bytesPerMs
				}
				for k := range 200 {
					times = append(times, f.Compute.Quantile((float64(k)+0.5)/200, item)/1e6+other)
				}
			}
			slices.Sort(times)
			quantile := func(at int) float64 { return (times[at-1] + times[at]) / 2 } // often between two values
			got := recorded{0, times[0], quantile(len(times) / 2), quantile(len(times) * 9 / 10), times[len(times)-1]}
			for _, v := range times {
				got.mean += v / float64(len(times))
			}
			if math.Abs(got.mean-want.mean) > 0.06 {
				t.Errorf("%s: %s takes %.3f ms on average, recorded are %v", name, f.Name, got.mean, want.mean)
			}
			// The uniform ones have the spread, not the ends.
			slack := max(0.4, 0.08*(want.max-want.min))
			if got.min < want.min-slack || got.max > want.max+slack || math.Abs(got.p50-want.p50) > slack || math.Abs(got.p90-want.p90) > slack {
				t.Errorf("%s: %s takes %+v, recorded are %+v", name, f.Name, got, want)
			}
		}
	}
}

// The texts of the artefact's experiment on scalability have these sizes, as
// JSON, and counts.
func TestVariantsOfTheWordCount(t *testing.T) {
	const perByte = 8 * 116.2428 / 3383449 // ms, at 0.2 cores
	for name, want := range map[string]struct {
		texts        int
		bytes, words float64
		last         float64 // bytes of the last text
	}{
		"fanout-2":    {2, 4235352, 445731, 2117676},
		"fanout-4":    {4, 4235356, 652719, 1058839},
		"fanout-8":    {8, 4235364, 906400, 529420},
		"fanout-12":   {12, 4235372, 1101200, 352947},
		"fanout-16":   {16, 4235380, 1224666, 264711},
		"datasize-1":  {4, 1061729, 308841, 424956},
		"datasize-2":  {4, 2123454, 311485, 849911},
		"datasize-4":  {4, 4246904, 315007, 1699821},
		"datasize-8":  {4, 8493804, 319627, 3399641},
		"datasize-16": {4, 16987604, 332619, 6799281}, // of two texts an estimate
	} {
		w := lookup(t, "dataflower/wordcount-"+name)
		start, count, merge := &w.Functions[0], &w.Functions[1], &w.Functions[2]
		n := float64(want.texts)
		file := start.Outputs[0]
		bytes, words := file.Size.Total(n), count.Outputs[0].Size.Total(n)
		if w.Name != "wordcount-"+name || file.Items.Mean() != n || bytes != want.bytes || words != want.words || file.Size.Values[want.texts-1] != want.last {
			t.Errorf("%s: %s has %v texts of %v bytes %v, %v bytes of counts; want %+v", name, w.Name, file.Items.Mean(), bytes, file.Size.Values, words, want)
		}
		for what, times := range map[string]struct{ got, want float64 }{
			"start": {start.Compute.Mean() / 1e6, 13.5 * bytes / 3383449},
			"count": {count.Compute.Total(n) / 1e6, perByte * bytes},
			"last":  {count.Compute.Items[want.texts-1].Mean() / 1e6, perByte * want.last},
			"merge": {merge.Compute.Mean() / 1e6, 45.66 * words / 736992},
		} {
			if math.Abs(times.got/times.want-1) > 1e-4 {
				t.Errorf("%s: %s takes %v ms, want %v", name, what, times.got, times.want)
			}
		}
	}
}

// With more cores the same work takes less time; 0.2 is what the workflow has
// anyway.
func TestTheWordCountWithOtherCores(t *testing.T) {
	base := lookup(t, "dataflower/wordcount")
	for _, cores := range []float64{0.1, 0.2, 0.3, 0.4, 0.5} {
		w := lookup(t, fmt.Sprintf("dataflower/wordcount-cores-%v", cores))
		for i := range w.Functions {
			f, was := &w.Functions[i], &base.Functions[i]
			work, before := f.Compute.Mean()*f.CPU, was.Compute.Mean()*was.CPU
			if f.CPU != cores || f.Memory != int64(math.Round(cores*10))*128<<20 || math.Abs(work/before-1) > 1e-6 || !reflect.DeepEqual(f.Outputs, was.Outputs) {
				t.Errorf("%s: %s has %v cores, %v bytes, and works %v core·ns, not %v", w.Name, f.Name, f.CPU, f.Memory, work, before)
			}
		}
		if cores == 0.2 {
			if w.Name = base.Name; !reflect.DeepEqual(w, base) {
				t.Errorf("with the cores it has it is\n%+v\nnot\n%+v", w, base)
			}
		}
	}
}

func TestTheSourceOfAVariantIsTheVariant(t *testing.T) {
	for _, f := range benchmarks.Families() {
		for _, name := range f.Workflows() {
			source, err := benchmarks.Source(name)
			if err != nil {
				t.Fatal(err)
			}
			w, err := workflowfile.Parse(name, source)
			if err != nil || !reflect.DeepEqual(w, lookup(t, name)) {
				t.Errorf("%s: %v\n%s", name, err, source)
			}
		}
	}
	if got := benchmarks.Families()[2].Pattern(); got != "dataflower/wordcount-cores-{0.1,0.2,0.3,0.4,0.5}" {
		t.Error(got)
	}
}
