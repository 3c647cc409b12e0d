package placement

import (
	"cmp"
	"slices"

	"github.com/flowtwin/flowtwin/engine/workflow"
)

// FaaSFlow partitions each workflow as the FaaSFlow artefact does
// (src/grouping, tag v1.1). Every function begins as a group on the worker
// that the hash of its name says. Then, again and again, the longest path is
// found, counting compute and transfer times, and its heaviest edge that can be
// merged is: its two groups become one, on the worker where the least room is
// left that suffices. It ends when no edge of the longest path can be merged.
//
// What the artefact gets wrong is kept: it stops at the first longest path
// without a mergeable edge though other paths have some, an edge weighs as
// much as its producer writes whatever its consumer reads, the first groups
// may overcommit workers and later merges only look at what is left. Capacity
// and memory quota are shared by the workflows of one call, in their order.
//
// The time taken grows with the product of functions and edges.
type FaaSFlow struct {
	Parameters Parameters
}

// String returns "faasflow".
func (FaaSFlow) String() string { return "faasflow" }

// Place implements Placer. The error says which parameter or worker is wrong.
func (s FaaSFlow) Place(workflows []*workflow.Workflow, workers []Worker) (Placement, error) {
	if err := checkWorkers(workers); err != nil {
		return Placement{}, err
	}
	if err := s.Parameters.Check(); err != nil {
		return Placement{}, err
	}
	result := newPlacement(workflows)
	shared := newLedger(s.Parameters, workers)
	for i, w := range workflows {
		p := newPartition(s.Parameters, w, shared)
		p.run()
		p.report(result.Group[i], result.Worker[i])
	}
	result.Cost = shared.cost
	return result, nil
}

// ledger is the account that all workflows of one call share.
type ledger struct {
	free    []float64 // containers left, by worker; may be negative
	quota   float64   // bytes of memory that data may use, on all workers together
	charged float64   // bytes of it that are used
	cost    Cost
}

func newLedger(p Parameters, workers []Worker) *ledger {
	l := &ledger{free: make([]float64, len(workers))}
	for i, w := range workers {
		l.free[i] = p.capacity(w)
	}
	return l
}

// partition is the state of partitioning one workflow. Functions and groups
// are numbered alike: a group has the number of one of its members.
type partition struct {
	Parameters
	*ledger

	// The graph: the successors of u are next[first[u]:first[u+1]].
	order   []workflow.FunctionID // Kahn's, first in first out
	starts  []workflow.FunctionID
	first   []int32
	next    []int32
	compute []float64 // s
	bytes   []float64
	weight  []float64 // s, of each edge out of a function to another group

	group      []int32   // by function
	members    [][]int32 // by group; empty if merged into another
	containers []float64 // by group
	worker     []int32   // by group
	isCharged  []bool    // by function
	groups     int

	longest []reach // by function, of the last pass
	path    []hop   // of the last pass

	// What tests compare with the artefact.
	iterations              int
	firstLength, lastLength float64 // s
	merges                  []merge
}

// reach is the longest path that ends at a function.
type reach struct {
	length     float64 // s; below 0 until the function is reached
	bottleneck float64 // s, the heaviest edge
	via        int32   // the predecessor, or -1
	edge       float64 // s, the weight of the edge from it
}

// hop is an edge of the longest path.
type hop struct {
	from, to int32
	weight   float64 // s
}

// merge records one step of the partition.
type merge struct {
	from, to workflow.FunctionID // the edge
	worker   int32               // of the merged group
}

func newPartition(parameters Parameters, w *workflow.Workflow, shared *ledger) *partition {
	n := len(w.Functions)
	p := &partition{
		Parameters: parameters,
		ledger:     shared,
		order:      w.Order,
		starts:     w.Starts,
		first:      make([]int32, n+1),
		compute:    make([]float64, n),
		bytes:      make([]float64, n),
		weight:     make([]float64, n),
		group:      make([]int32, n),
		members:    make([][]int32, n),
		containers: make([]float64, n),
		worker:     make([]int32, n),
		isCharged:  make([]bool, n),
		groups:     n,
		longest:    make([]reach, n),
	}
	for i := range w.Functions {
		f, id := &w.Functions[i], int32(i)
		seen := p.plan(w, workflow.FunctionID(i))
		p.compute[i] = seen.compute
		p.bytes[i] = seen.bytes
		p.weight[i] = seen.bytes / p.NetworkBandwidth
		p.quota += seen.reclaimable
		for _, v := range f.Next {
			p.next = append(p.next, int32(v))
		}
		p.first[i+1] = int32(len(p.next))

		p.group[i] = id
		p.members[i] = []int32{id}
		p.containers[i] = seen.containers
		p.worker[i] = hashWorker(f.Name, len(p.free))
		p.free[p.worker[i]] -= seen.containers // unchecked
	}
	p.cost.FunctionVisits += int64(n)
	return p
}

func (p *partition) run() {
	for p.groups > 1 {
		p.iterations++
		p.cost.Iterations++
		length := p.findLongestPath()
		if p.iterations == 1 {
			p.firstLength = length
		}
		p.lastLength = length
		if !p.mergeOnPath() {
			return
		}
	}
}

// findLongestPath fills path with the edges of the longest path, heaviest
// first, and returns its length.
func (p *partition) findLongestPath() float64 {
	for i := range p.longest {
		p.longest[i] = reach{length: -1, via: -1}
	}
	for _, u := range p.starts {
		p.longest[u].length = p.compute[u]
	}
	for _, u := range p.order {
		from, group := p.longest[u], p.group[u]
		remote := p.weight[u]
		local := remote / p.MemoryRatio
		for _, v := range p.next[p.first[u]:p.first[u+1]] {
			weight := remote
			if p.group[v] == group {
				weight = local
			}
			to := &p.longest[v]
			length := from.length + weight + p.compute[v]
			if length < to.length {
				continue
			}
			bottleneck := max(from.bottleneck, weight)
			if length > to.length || bottleneck > to.bottleneck {
				*to = reach{length, bottleneck, int32(u), weight}
			}
		}
	}
	p.cost.FunctionVisits += int64(len(p.order))
	p.cost.Relaxations += int64(len(p.next))

	end := int32(0)
	for i := range p.longest {
		if p.longest[i].length > p.longest[end].length {
			end = int32(i)
		}
	}
	p.path = p.path[:0]
	for v := end; p.longest[v].via >= 0; v = p.longest[v].via {
		p.path = append(p.path, hop{p.longest[v].via, v, p.longest[v].edge})
	}
	// The path was walked from its end, so of equal edges the last is first.
	slices.SortStableFunc(p.path, func(a, b hop) int { return cmp.Compare(b.weight, a.weight) })
	return p.longest[end].length
}

// mergeOnPath merges the groups of the first edge of the path that allows it,
// and reports whether there was one.
func (p *partition) mergeOnPath() bool {
	for _, edge := range p.path {
		p.cost.Candidates++
		a, b := p.group[edge.from], p.group[edge.to]
		if a == b || p.GroupLimit > 0 && len(p.members[a])+len(p.members[b]) > p.GroupLimit {
			continue
		}
		worker := p.bestFit(a, b)
		if worker < 0 {
			p.cost.CapacityRejections++
			continue
		}
		if !p.charge(edge.from) {
			p.cost.QuotaRejections++
			continue
		}
		p.merge(a, b, worker)
		p.merges = append(p.merges, merge{workflow.FunctionID(edge.from), workflow.FunctionID(edge.to), worker})
		return true
	}
	return false
}

// bestFit returns the worker with the least room among those that have enough
// for the groups a and b once these have left theirs, or -1.
func (p *partition) bestFit(a, b int32) int32 {
	need := p.containers[a] + p.containers[b]
	best, least := int32(-1), 0.0
	for i, free := range p.free {
		if int32(i) == p.worker[a] {
			free += p.containers[a]
		}
		if int32(i) == p.worker[b] {
			free += p.containers[b]
		}
		if free >= need && (best < 0 || free < least) {
			best, least = int32(i), free
		}
	}
	p.cost.WorkerProbes += int64(len(p.free))
	return best
}

// charge books the outputs of a function as kept in memory, once, and reports
// whether the quota allows it.
func (p *partition) charge(f int32) bool {
	if p.isCharged[f] {
		return true
	}
	if p.charged+p.bytes[f] > p.quota {
		return false
	}
	p.charged += p.bytes[f]
	p.isCharged[f] = true
	return true
}

func (p *partition) merge(a, b, worker int32) {
	p.free[p.worker[a]] += p.containers[a]
	p.free[p.worker[b]] += p.containers[b]
	if len(p.members[a]) < len(p.members[b]) {
		a, b = b, a
	}
	for _, f := range p.members[b] {
		p.group[f] = a
	}
	p.members[a] = append(p.members[a], p.members[b]...)
	p.members[b] = nil
	p.containers[a] += p.containers[b]
	p.worker[a] = worker
	p.free[worker] -= p.containers[a]
	p.groups--
	p.cost.Merges++
}

// report writes the result. Groups are numbered in the order of their first
// functions.
func (p *partition) report(group, worker []int32) {
	numbers := make([]int32, len(p.group)) // from 1; 0 means none yet
	groups := int32(0)
	for f, g := range p.group {
		if numbers[g] == 0 {
			groups++
			numbers[g] = groups
		}
		group[f], worker[f] = numbers[g]-1, p.worker[g]
	}
}
