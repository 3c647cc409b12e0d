package placement

import (
	"cmp"
	"math"
	"slices"

	"github.com/flowtwin/flowtwin/engine/workflow"
)

// FaaSFlowImproved has the aim of FaaSFlow, without the weaknesses of the
// artefact's partition. It takes all workflows of a call together, and four
// steps:
//
//  1. An edge weighs the bytes that its consumer is expected to read, over all
//     instances. A control edge adds one byte, so that functions which trigger
//     one another stay together where no data decides.
//  2. From the heaviest edge to the lightest, the groups at its ends become
//     one if the largest worker could hold them. So groups that exchange data
//     stay apart only if no worker can hold both.
//  3. From the largest group to the smallest, each goes to the worker with
//     most room. A group that fits nowhere is taken apart: each of its
//     functions goes to the worker it exchanges most with among those that
//     have room.
//  4. Single functions move to where they exchange more, if there is room.
//
// Functions of one workflow on one worker form one group, so all that is near
// in fact is near to the data rule as well.
//
// No worker is overcommitted if the functions fit, as far as first-fit
// decreasing can tell (exact bin packing is not attempted); if they do not,
// all are overcommitted alike. Switches and ends need no container, and a
// foreach at least one for each instance unless its Planning says otherwise.
// Group limit and memory quota do not apply: the room on a worker is what
// limits a group, and how much data stays in memory is up to the data rule.
//
// The time taken is near-linear in functions and edges.
type FaaSFlowImproved struct {
	Parameters Parameters
}

// String returns "faasflow-improved".
func (FaaSFlowImproved) String() string { return "faasflow-improved" }

// Place implements Placer. The error says which parameter or worker is wrong.
func (s FaaSFlowImproved) Place(workflows []*workflow.Workflow, workers []Worker) (Placement, error) {
	if err := checkWorkers(workers); err != nil {
		return Placement{}, err
	}
	if err := s.Parameters.Check(); err != nil {
		return Placement{}, err
	}
	t := newTraffic(s.Parameters, workflows)
	capacity, fits := t.capacity(s.Parameters, workers)
	l := newLayout(t, capacity)
	for _, members := range t.cluster(slices.Max(capacity)) {
		l.place(members)
	}
	if l.overcommitted && fits {
		l.packTightly()
	}
	l.refine()

	result := newPlacement(workflows)
	offset := 0
	for i, w := range workflows {
		copy(result.Worker[i], l.worker[offset:offset+len(w.Functions)])
		numberByWorker(result.Group[i], result.Worker[i], len(workers))
		offset += len(w.Functions)
	}
	result.Cost = t.cost
	return result, nil
}

// numberByWorker makes the functions on one worker a group, numbered in the
// order of first functions.
func numberByWorker(group, worker []int32, workers int) {
	numbers := make([]int32, workers) // from 1; 0 means none yet
	groups := int32(0)
	for f, w := range worker {
		if numbers[w] == 0 {
			groups++
			numbers[w] = groups
		}
		group[f] = numbers[w] - 1
	}
}

// traffic is what the functions of all workflows, numbered through, exchange.
type traffic struct {
	containers []float64
	flows      []flow
	// The flows at function f are those with the numbers
	// at[first[f]:first[f+1]].
	first, at []int32
	cost      Cost
}

// flow is all that one function reads from another.
type flow struct {
	from, to int32
	bytes    float64
}

func newTraffic(p Parameters, workflows []*workflow.Workflow) *traffic {
	t := &traffic{}
	for _, w := range workflows {
		t.add(p, w)
	}
	t.first = make([]int32, len(t.containers)+1)
	for _, e := range t.flows {
		t.first[e.from+1]++
		t.first[e.to+1]++
	}
	for f := range t.containers {
		t.first[f+1] += t.first[f]
	}
	t.at = make([]int32, 2*len(t.flows))
	filled := slices.Clone(t.first)
	for i, e := range t.flows {
		for _, f := range [...]int32{e.from, e.to} {
			t.at[filled[f]] = int32(i)
			filled[f]++
		}
	}
	return t
}

func (t *traffic) add(p Parameters, w *workflow.Workflow) {
	offset := int32(len(t.containers))
	latest := make([]int32, len(w.Functions)) // by producer: 1 + its latest flow
	add := func(from, to int32, bytes float64) {
		if i := latest[from] - 1; i >= 0 && t.flows[i].to == offset+to {
			t.flows[i].bytes += bytes
			return
		}
		t.flows = append(t.flows, flow{offset + from, offset + to, bytes})
		latest[from] = int32(len(t.flows))
	}
	for i := range w.Functions {
		f, id := &w.Functions[i], workflow.FunctionID(i)
		t.containers = append(t.containers, p.containersFor(w, id))
		for _, in := range f.Inputs {
			if in.From != workflow.GlobalInput {
				add(int32(in.From), int32(i), w.InputBytes(id, in))
			}
		}
		for _, before := range f.After {
			add(int32(before), int32(i), 1)
		}
	}
}

// containersFor is how many containers a function is expected to need, with
// one for each instance of a foreach.
func (p Parameters) containersFor(w *workflow.Workflow, id workflow.FunctionID) float64 {
	f := &w.Functions[id]
	switch {
	case f.Kind != workflow.Task:
		return 0
	case f.Planning != nil && f.Planning.Containers != 0:
		return max(0, float64(f.Planning.Containers))
	case f.Planning != nil && f.Planning.SplitRatio > 0:
		return max(float64(p.Containers), math.Ceil(f.Planning.SplitRatio))
	}
	return max(float64(p.Containers), math.Ceil(w.Instances(f.Scope)))
}

// capacity returns how many containers each worker is to hold, and whether
// that is what it has room for. If all workers together have too little room,
// each is given more in proportion, and a little on top so that groups need
// not be taken apart to fill workers to the last container.
func (t *traffic) capacity(p Parameters, workers []Worker) (capacity []float64, fits bool) {
	need, room := 0.0, 0.0
	for _, n := range t.containers {
		need += n
	}
	for _, w := range workers {
		capacity = append(capacity, p.capacity(w))
		room += p.capacity(w)
	}
	if need <= room {
		return capacity, true
	}
	const onTop = 1.05
	for i := range capacity {
		capacity[i] *= onTop * need / room
	}
	return capacity, false
}

// cluster merges groups along flows, heaviest first, while they need at most
// limit containers. It returns the members of each group, the groups with the
// most containers first.
func (t *traffic) cluster(limit float64) [][]int32 {
	n := len(t.containers)
	parent := make([]int32, n)
	for f := range parent {
		parent[f] = int32(f)
	}
	find := func(f int32) int32 {
		for parent[f] != f {
			parent[f] = parent[parent[f]]
			f = parent[f]
		}
		return f
	}
	// The members of a group are a chain from its root, in the order of the
	// merges: what belongs together closely is close in the chain.
	containers := slices.Clone(t.containers)
	size := make([]int32, n)
	next := make([]int32, n)
	last := slices.Clone(parent)
	for f := range next {
		size[f], next[f] = 1, -1
	}
	for _, i := range t.heaviestFirst() {
		t.cost.Candidates++
		a, b := find(t.flows[i].from), find(t.flows[i].to)
		if a == b {
			continue
		}
		if containers[a]+containers[b] > limit {
			t.cost.CapacityRejections++
			continue
		}
		if size[a] < size[b] {
			a, b = b, a
		}
		parent[b] = a
		next[last[a]] = b
		last[a] = last[b]
		size[a] += size[b]
		containers[a] += containers[b]
		t.cost.Merges++
	}
	t.cost.Iterations++

	var roots []int32
	for f := range parent {
		if parent[f] == int32(f) {
			roots = append(roots, int32(f))
		}
	}
	slices.SortStableFunc(roots, func(a, b int32) int { return cmp.Compare(containers[b], containers[a]) })
	groups := make([][]int32, len(roots))
	members := make([]int32, 0, n)
	for i, root := range roots {
		begin := len(members)
		for f := root; f >= 0; f = next[f] {
			members = append(members, f)
		}
		groups[i] = members[begin:]
	}
	return groups
}

// heaviestFirst returns the numbers of the flows, the heaviest first and those
// of equal weight in their order. Weights are compared as float32, which
// leaves room for the number in one sortable word.
func (t *traffic) heaviestFirst() []int32 {
	keys := make([]uint64, len(t.flows))
	for i, e := range t.flows {
		// The bits of positive floats order as the floats do.
		keys[i] = uint64(^math.Float32bits(float32(e.bytes)))<<32 | uint64(i)
	}
	slices.Sort(keys)
	numbers := make([]int32, len(keys))
	for i, key := range keys {
		numbers[i] = int32(uint32(key))
	}
	return numbers
}

// layout is the state of giving functions to workers.
type layout struct {
	*traffic
	capacity []float64
	free     []float64
	roomiest roomiest
	worker   []int32 // by function; -1 if it has none yet
	// overcommitted: some worker was given more than it has room for.
	overcommitted bool

	// talk is what the function under consideration exchanges with those on
	// each worker, and partners lists the workers where that is not 0.
	talk     []float64
	partners []int32
}

func newLayout(t *traffic, capacity []float64) *layout {
	l := &layout{
		traffic:  t,
		capacity: capacity,
		free:     slices.Clone(capacity),
		worker:   make([]int32, len(t.containers)),
		talk:     make([]float64, len(capacity)),
	}
	l.roomiest = newRoomiest(l.free)
	for f := range l.worker {
		l.worker[f] = -1
	}
	return l
}

// place puts a group on the worker with most room, or takes it apart if that
// has too little.
func (l *layout) place(members []int32) {
	need := 0.0
	for _, f := range members {
		need += l.containers[f]
	}
	worker := l.roomiest.worker()
	l.cost.WorkerProbes++
	if l.free[worker] >= need {
		for _, f := range members {
			l.assign(f, worker)
		}
		return
	}
	for _, f := range members {
		l.listen(f)
		worker := l.bestPartner(l.containers[f])
		if worker < 0 {
			worker = l.roomiest.worker()
			l.cost.WorkerProbes++
		}
		l.assign(f, worker)
		l.overcommitted = l.overcommitted || l.free[worker] < 0
	}
}

// listen fills talk and partners for a function.
func (l *layout) listen(f int32) {
	for _, w := range l.partners {
		l.talk[w] = 0
	}
	l.partners = l.partners[:0]
	for _, i := range l.at[l.first[f]:l.first[f+1]] {
		e := &l.flows[i]
		worker := l.worker[e.from+e.to-f] // of the other end
		if worker < 0 {
			continue
		}
		if l.talk[worker] == 0 {
			l.partners = append(l.partners, worker)
		}
		l.talk[worker] += e.bytes
	}
	l.cost.NeighbourProbes += int64(l.first[f+1] - l.first[f])
}

// bestPartner returns the worker with most talk that has room, or -1.
func (l *layout) bestPartner(need float64) int32 {
	best := int32(-1)
	for _, w := range l.partners {
		if l.free[w] < need {
			continue
		}
		if best < 0 || l.talk[w] > l.talk[best] {
			best = w
		}
	}
	l.cost.WorkerProbes += int64(len(l.partners))
	return best
}

// assign moves a function to a worker.
func (l *layout) assign(f, worker int32) {
	if old := l.worker[f]; old >= 0 {
		l.free[old] += l.containers[f]
		l.roomiest.update(old)
	}
	l.worker[f] = worker
	l.free[worker] -= l.containers[f]
	l.roomiest.update(worker)
	l.cost.FunctionVisits++
}

// packTightly changes the layout to that of first-fit decreasing, which does
// not look at what functions exchange, unless that overcommits too.
func (l *layout) packTightly() {
	order := make([]int32, len(l.worker))
	for f := range order {
		order[f] = int32(f)
	}
	slices.SortStableFunc(order, func(a, b int32) int { return cmp.Compare(l.containers[b], l.containers[a]) })
	free, worker := slices.Clone(l.capacity), make([]int32, len(l.worker))
	first := 0
	for i, f := range order {
		need := l.containers[f]
		if i > 0 && need < l.containers[order[i-1]] {
			first = 0 // it may fit where larger ones did not
		}
		for first < len(free) && free[first] < need {
			first++
			l.cost.WorkerProbes++
		}
		if first == len(free) {
			return
		}
		free[first] -= need
		worker[f] = int32(first)
		l.cost.FunctionVisits++
	}
	l.free, l.worker = free, worker
	l.roomiest = newRoomiest(free)
}

// refine moves single functions to workers that they exchange more with.
func (l *layout) refine() {
	const sweeps = 2 // later ones gain next to nothing
	for range sweeps {
		moved := false
		for f := range l.worker {
			f := int32(f)
			l.listen(f)
			best := l.bestPartner(l.containers[f])
			if best >= 0 && l.talk[best] > l.talk[l.worker[f]] {
				l.assign(f, best)
				moved = true
			}
		}
		if !moved {
			return
		}
	}
}

// roomiest is a knock-out tournament of workers: the one with most room wins,
// the first among equals.
type roomiest struct {
	free   []float64
	winner []int32 // of the match at each node of a binary heap; leaves last
	leaves int
}

func newRoomiest(free []float64) roomiest {
	leaves := 1
	for leaves < len(free) {
		leaves *= 2
	}
	r := roomiest{free: free, winner: make([]int32, 2*leaves), leaves: leaves}
	for i := range leaves {
		r.winner[leaves+i] = -1
		if i < len(free) {
			r.winner[leaves+i] = int32(i)
		}
	}
	for i := leaves - 1; i > 0; i-- {
		r.match(i)
	}
	return r
}

func (r *roomiest) match(i int) {
	left, right := r.winner[2*i], r.winner[2*i+1]
	r.winner[i] = left
	if right >= 0 && r.free[right] > r.free[left] {
		r.winner[i] = right
	}
}

// update replays the matches of a worker whose room has changed.
func (r *roomiest) update(worker int32) {
	for i := (r.leaves + int(worker)) / 2; i > 0; i /= 2 {
		r.match(i)
	}
}

// worker returns the winner.
func (r *roomiest) worker() int32 { return r.winner[1] }
