package placement

import (
	"cmp"
	"slices"
	"testing"

	"github.com/flowtwin/flowtwin/engine/workflow"
	"pgregory.net/rapid"
)

// literal is the artefact's partition as plainly as it can be written: groups
// are lists of names in a list, membership is searched, the state of a pass is
// in maps. It is what FaaSFlow must equal, and be faster than.
type literal struct {
	parameters Parameters
	workflow   *workflow.Workflow
	shared     *literalNodes
	id         map[string]workflow.FunctionID
	seen       map[string]planned
	groups     [][]string
	node       map[string]int // by first member of a group
	paid       map[string]bool
	merges     []merge
	length     []float64 // of the longest path, by iteration
}

type literalNodes struct {
	free        []float64
	quota, used float64
	rejections  [2]int64 // of capacity, of quota
}

func (l *literal) function(name string) *workflow.Function { return &l.workflow.Functions[l.id[name]] }

func (l *literal) groupOf(name string) []string {
	for _, group := range l.groups {
		if slices.Contains(group, name) {
			return group
		}
	}
	return nil
}

func (l *literal) scale(group []string) float64 {
	sum := 0.0
	for _, name := range group {
		sum += l.seen[name].containers
	}
	return sum
}

// breadthFirst lists the functions in the order in which groups are made.
func (l *literal) breadthFirst() []string {
	var names []string
	for _, start := range l.workflow.Starts {
		names = append(names, l.workflow.Functions[start].Name)
	}
	for i := 0; i < len(names); i++ {
		for _, next := range l.function(names[i]).Next {
			if name := l.workflow.Functions[next].Name; !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	return names
}

func (l *literal) run() {
	for _, name := range l.breadthFirst() {
		l.groups = append(l.groups, []string{name})
		l.node[name] = int(hashWorker(name, len(l.shared.free)))
		l.shared.free[l.node[name]] -= l.seen[name].containers
	}
	// The sum depends on its order in the last digits, so it is taken in the
	// order of the file.
	for i := range l.workflow.Functions {
		l.shared.quota += l.seen[l.workflow.Functions[i].Name].reclaimable
	}
	for len(l.groups) > 1 {
		if !l.mergeOne(l.longestPath()) {
			return
		}
	}
}

type literalEdge struct {
	from, to string
	weight   float64
}

func (l *literal) longestPath() []literalEdge {
	length, bottleneck := map[string]float64{}, map[string]float64{}
	before := map[string]literalEdge{}
	waitsFor := map[string]int{}
	for i := range l.workflow.Functions {
		waitsFor[l.workflow.Functions[i].Name] = len(l.workflow.Functions[i].After)
	}
	var queue []string
	for _, start := range l.workflow.Starts {
		name := l.workflow.Functions[start].Name
		queue = append(queue, name)
		length[name], bottleneck[name] = l.seen[name].compute, 0
	}
	for ; len(queue) > 0; queue = queue[1:] {
		u := queue[0]
		for _, next := range l.function(u).Next {
			v := l.workflow.Functions[next].Name
			weight := l.seen[u].bytes / l.parameters.NetworkBandwidth
			if slices.Contains(l.groupOf(u), v) {
				weight /= l.parameters.MemoryRatio
			}
			candidate := length[u] + weight + l.seen[v].compute
			widest := max(bottleneck[u], weight)
			known, reached := length[v]
			if !reached || candidate > known || candidate == known && widest > bottleneck[v] {
				length[v], bottleneck[v] = candidate, widest
				before[v] = literalEdge{u, v, weight}
			}
			if waitsFor[v]--; waitsFor[v] == 0 {
				queue = append(queue, v)
			}
		}
	}
	end := l.workflow.Functions[0].Name
	for i := range l.workflow.Functions {
		if name := l.workflow.Functions[i].Name; length[name] > length[end] {
			end = name
		}
	}
	l.length = append(l.length, length[end])
	var path []literalEdge
	for edge, ok := before[end]; ok; edge, ok = before[edge.from] {
		path = append(path, edge)
	}
	slices.SortStableFunc(path, func(a, b literalEdge) int { return cmp.Compare(b.weight, a.weight) })
	return path
}

func (l *literal) mergeOne(path []literalEdge) bool {
	for _, edge := range path {
		a, b := l.groupOf(edge.from), l.groupOf(edge.to)
		if a[0] == b[0] {
			continue
		}
		if l.parameters.GroupLimit > 0 && len(a)+len(b) > l.parameters.GroupLimit {
			continue
		}
		free := slices.Clone(l.shared.free)
		free[l.node[a[0]]] += l.scale(a)
		free[l.node[b[0]]] += l.scale(b)
		need := l.scale(a) + l.scale(b)
		best := -1
		for node, room := range free {
			if room >= need && (best < 0 || room < free[best]) {
				best = node
			}
		}
		if best < 0 {
			l.shared.rejections[0]++
			continue
		}
		if !l.paid[edge.from] {
			if l.shared.used+l.seen[edge.from].bytes > l.shared.quota {
				l.shared.rejections[1]++
				continue
			}
			l.shared.used += l.seen[edge.from].bytes
			l.paid[edge.from] = true
		}
		merged := slices.Concat(a, b)
		l.groups = slices.DeleteFunc(l.groups, func(g []string) bool { return g[0] == a[0] || g[0] == b[0] })
		l.groups = append(l.groups, merged)
		free[best] -= need
		l.shared.free = free
		l.node[merged[0]] = best
		l.merges = append(l.merges, merge{l.id[edge.from], l.id[edge.to], int32(best)})
		return true
	}
	return false
}

// literally partitions the workflows one after the other.
func literally(parameters Parameters, workflows []*workflow.Workflow, workers []Worker) ([]*literal, *literalNodes) {
	shared := &literalNodes{}
	for _, w := range workers {
		shared.free = append(shared.free, parameters.capacity(w))
	}
	var result []*literal
	for _, w := range workflows {
		l := &literal{
			parameters: parameters, workflow: w, shared: shared,
			id: map[string]workflow.FunctionID{}, seen: map[string]planned{},
			node: map[string]int{}, paid: map[string]bool{},
		}
		for i := range w.Functions {
			name, id := w.Functions[i].Name, workflow.FunctionID(i)
			l.id[name], l.seen[name] = id, parameters.plan(w, id)
		}
		l.run()
		result = append(result, l)
	}
	return result, shared
}

// compareWithLiteral fails unless FaaSFlow makes the same merges in the same
// order, with the same groups, workers, path lengths and accounts.
func compareWithLiteral(t interface {
	Helper()
	Fatalf(string, ...any)
}, parameters Parameters, workflows []*workflow.Workflow, workers []Worker) {
	t.Helper()
	want, nodes := literally(parameters, workflows, workers)
	shared := newLedger(parameters, workers)
	for i, w := range workflows {
		got := newPartition(parameters, w, shared)
		got.run()
		if !slices.Equal(got.merges, want[i].merges) {
			t.Fatalf("workflow %d: merges\n%v, literally\n%v", i, got.merges, want[i].merges)
		}
		if n := len(want[i].length); n != got.iterations || n > 0 && (want[i].length[0] != got.firstLength || want[i].length[n-1] != got.lastLength) {
			t.Fatalf("workflow %d: %d iterations, paths %v to %v, literally %v", i, got.iterations, got.firstLength, got.lastLength, want[i].length)
		}
		for f := range w.Functions {
			name := w.Functions[f].Name
			group := slices.Sorted(slices.Values(want[i].groupOf(name)))
			var members []string
			for _, m := range got.members[got.group[f]] {
				members = append(members, w.Functions[m].Name)
			}
			slices.Sort(members)
			if !slices.Equal(members, group) {
				t.Fatalf("workflow %d: %s is with %v, literally with %v", i, name, members, group)
			}
			if node := want[i].node[want[i].groupOf(name)[0]]; int(got.worker[got.group[f]]) != node {
				t.Fatalf("workflow %d: %s is on worker %d, literally on %d", i, name, got.worker[got.group[f]], node)
			}
		}
	}
	if !slices.Equal(shared.free, nodes.free) || shared.charged != nodes.used || shared.quota != nodes.quota {
		t.Fatalf("accounts %v %v %v, literally %v %v %v", shared.free, shared.charged, shared.quota, nodes.free, nodes.used, nodes.quota)
	}
	if got := [2]int64{shared.cost.CapacityRejections, shared.cost.QuotaRejections}; got != nodes.rejections {
		t.Fatalf("%v rejections, literally %v", got, nodes.rejections)
	}
}

// Over a and over b the path to the end takes 2 s, but over b there is a
// transfer of 2 s.
func TestFaaSFlowTakesTheEqualPathWithTheHeavierEdge(t *testing.T) {
	w := parse(t, `
		task start 0 3 1 - a b
		task a 1 3 1 - end
		task b 0 3 1 - end
		task end 0 3 1 -
		output 1000000 a end
		output 2000000 b end`)
	parameters := ArtefactParameters()
	parameters.NetworkBandwidth = 1e6
	p := newPartition(parameters, w, newLedger(parameters, sevenWorkers()))
	p.run()
	if first := p.merges[0]; p.firstLength != 2 || first.from != 2 || first.to != 3 {
		t.Errorf("the path takes %v s and %+v is merged first, want 2 s and the edge from b", p.firstLength, first)
	}
}

func TestFaaSFlowEqualsTheLiteralAlgorithm(t *testing.T) {
	t.Run("on the artefact's workflows", func(t *testing.T) {
		compareWithLiteral(t, ArtefactParameters(), workflowsOf(referenceCases(t)), sevenWorkers())
	})
	t.Run("on genome", func(t *testing.T) {
		compareWithLiteral(t, ArtefactParameters(), []*workflow.Workflow{genome(t, 200)}, sevenWorkers())
	})
	t.Run("on random graphs", rapid.MakeCheck(func(t *rapid.T) {
		parameters := ArtefactParameters()
		// With round numbers, paths of equal length are exactly so.
		parameters.NetworkBandwidth = rapid.SampledFrom([]float64{parameters.NetworkBandwidth, 1e6}).Draw(t, "network bandwidth")
		parameters.MemoryRatio = rapid.SampledFrom([]float64{15, 2}).Draw(t, "memory ratio")
		parameters.GroupLimit = rapid.SampledFrom([]int{0, 3, 100}).Draw(t, "group limit")
		parameters.ContainerMemory = rapid.SampledFrom([]float64{256 << 20, 4 << 20, 0}).Draw(t, "container memory")
		workflows := rapid.SliceOfN(rapid.Custom(drawWorkflow), 1, 3).Draw(t, "workflows")
		compareWithLiteral(t, parameters, workflows, drawWorkers(t))
	}))
}
