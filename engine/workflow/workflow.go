package workflow

// FunctionID is the index of a function in its Workflow.
type FunctionID int32

// GlobalInput stands in Input.From for data that the workflow is given, which
// no function produces.
const GlobalInput FunctionID = -1

// Kind tells a function that runs in a container from the two that do not.
type Kind uint8

const (
	// Task runs in a container.
	Task Kind = iota
	// Switch is evaluated by the node that triggers it and chooses one branch.
	Switch
	// End does nothing, such as the target of a branch that ends the workflow,
	// or of one that has nothing to do before others go on.
	End
)

var kindNames = [...]string{"task", "switch", "end"}

// String returns "task", "switch" or "end".
func (k Kind) String() string { return kindNames[k] }

// Join says when a function is triggered that several control edges lead to.
// An edge is resolved when its source has ended, and is then live, or when it
// is certain that the source will not run, or not take it, and is then dead.
// An edge out of a foreach is resolved when all instances of its source are,
// and live if any of them is.
type Join uint8

const (
	// JoinAll triggers the function when all its control edges have been
	// resolved.
	JoinAll Join = iota
	// JoinFirst triggers it when the first live one has been. Those that are
	// resolved later trigger nothing; the invocation still waits for their
	// sources to end. In DataFlower's artefact an input may have several
	// producers, of which the first to post triggers its reader.
	JoinFirst
)

var joinNames = [...]string{"all", "first"}

// String returns "all" or "first".
func (j Join) String() string { return joinNames[j] }

// Function is one node of the graph.
type Function struct {
	Name string
	Kind Kind

	// Compute is the time one instance takes on cores of its own, in ns, with
	// all inputs at hand and before its outputs are put.
	Compute Distribution
	// CPU is how many cores it keeps busy meanwhile; 0 means that it only
	// waits, as the synthetic functions of the FaaSFlow artefact do.
	CPU float64
	// Memory is what one container reserves, in bytes.
	Memory int64
	// MaxContainers caps the containers of this function on one worker; 0
	// means no cap.
	MaxContainers int

	// Start says that the workflow starts with this function. If any function
	// says so, all that have no predecessor must.
	Start bool
	// After names control predecessors. See the package comment for when it
	// may be left out. New completes it, sorted by function.
	After []FunctionID
	// Join says whether the first of its control edges triggers it or the
	// last; it is skipped when all of them are dead, either way. With
	// JoinFirst, there must be several, and every input must come from a
	// function that is sure to have ended whichever of them is first.
	Join Join
	// Inputs are the data it reads, all in parallel, before it computes.
	Inputs []Input
	// Outputs are the data it posts.
	Outputs []Output
	// Foreach, if set, is the list that it iterates over.
	Foreach *OutputRef
	// Merge marks the function that closes the innermost foreach of its
	// predecessors.
	Merge bool
	// Branches are the choices of a Switch, in the order they are tried.
	Branches []Branch
	// Planning overrides what a partitioner is told of the function.
	Planning *Planning

	// Next are the control successors: branch targets in the order of the
	// branches, others in the order of the functions. Set by New.
	Next []FunctionID
	// Scope is the foreach region that the function is in. Set by New.
	Scope ScopeID
	// Local numbers the functions of a scope from 0. Set by New.
	Local int32
	// Gather is the function's number among those of its scope from which a
	// control edge leaves the scope, or -1. Set by New.
	Gather int32
}

// Choose returns the branch that a switch takes, by a number drawn evenly from
// 0 to below 1. A branch of probability 0 is never taken.
func (f *Function) Choose(u float64) int {
	branch := 0
	for i, sum := 0, 0.0; i < len(f.Branches); i++ {
		if f.Branches[i].Probability == 0 {
			continue
		}
		branch = i
		if sum += f.Branches[i].Probability; u < sum {
			break
		}
	}
	return branch
}

// Access says which instances of an output an instance of the reader reads.
type Access uint8

const (
	// AccessSame reads the output of the producer's instance with the path cut
	// to the producer's depth: the same instance, or one outside the foreach.
	AccessSame Access = iota
	// AccessItem reads one item of the list that the reader's foreach
	// iterates over.
	AccessItem
	// AccessAllItems reads every item of a list.
	AccessAllItems
	// AccessGather reads the outputs of all instances in a foreach that the
	// reader's scope encloses.
	AccessGather
)

// Input is a data edge.
type Input struct {
	// From produces the data, or is GlobalInput.
	From FunctionID
	// Output is the index in the producer's Outputs.
	Output int32
	// Size, in bytes, is used only with GlobalInput.
	Size int64
	// Access is set by New.
	Access Access
}

// Output is one datum that each instance of a function posts.
type Output struct {
	Name string
	// Size of the datum, or of each item if it is a list, in bytes.
	Size Distribution
	// Items is the length of the list that a foreach iterates over.
	Items Distribution
	// List tells a list, whose items are data of their own, from one datum.
	List bool
	// PostedAt is when the output is posted, as a fraction of the compute
	// time: 1 is its end.
	PostedAt float64
}

// OutputRef names an output of a function.
type OutputRef struct {
	Function FunctionID
	Output   int32
}

// Branch is one choice of a switch.
type Branch struct {
	Name string
	To   []FunctionID
	// Probability of this choice. The probabilities of a switch add up to 1.
	Probability float64
}

// Planning is what a graph partitioner is told of a function where that
// differs from what the function does, as in the artefact's YAML files. Zero
// fields mean: as the function is.
type Planning struct {
	// Compute time in ns.
	Compute float64
	// OutputBytes is the sum over all outputs.
	OutputBytes float64
	// SplitRatio is the expected number of instances.
	SplitRatio float64
	// Containers expected to run at a time; negative means none.
	Containers int
	// MemoryUsed is the fraction of a container's memory used at the peak.
	MemoryUsed float64
}

// ScopeID is the index of a scope in its Workflow. Scope 0 is the one outside
// any foreach.
type ScopeID int32

// Scope is a foreach region: the functions that have an instance for each
// item of one list.
type Scope struct {
	// Parent is the scope around it; -1 for scope 0.
	Parent ScopeID
	// Depth is the number of foreach levels around its functions.
	Depth int
	// Over is the list it iterates over.
	Over OutputRef
	// Functions in it, without those of nested scopes.
	Functions []FunctionID
	// Entries are the functions that Over's function triggers.
	Entries []FunctionID
	// Children are the scopes directly inside.
	Children []ScopeID
	// Child numbers the children of one parent from 0.
	Child int32
	// Gatherers are the functions from which a control edge leaves the scope.
	Gatherers []FunctionID
}

// Workflow is a checked graph of functions. It is immutable.
type Workflow struct {
	Name      string
	Functions []Function
	Scopes    []Scope
	// Starts are the functions without predecessors.
	Starts []FunctionID
	// Order lists all functions so that control edges point forward.
	Order []FunctionID
	// Indegree is the number of control predecessors of each function.
	Indegree []int32

	skips *skips // nil if there is no switch
}

// Function returns the function with the given name.
func (w *Workflow) Function(name string) (FunctionID, bool) {
	for i := range w.Functions {
		if w.Functions[i].Name == name {
			return FunctionID(i), true
		}
	}
	return 0, false
}
