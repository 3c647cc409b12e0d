package workflow

// CriticalPath returns the chain of functions with the longest expected
// compute time, and that time in ns. Branches of probability 0 are left out;
// data transfer and scheduling are not counted. Where the first of several
// functions triggers another, the chain leads through the one that is expected
// to end first.
func (w *Workflow) CriticalPath() ([]FunctionID, float64) {
	best := make([]float64, len(w.Functions)) // compute time up to and including
	via := make([]FunctionID, len(w.Functions))
	live := make([]bool, len(w.Functions))
	end := FunctionID(-1)
	for _, id := range w.Order {
		f := &w.Functions[id]
		via[id] = -1
		live[id] = len(f.After) == 0
		before := 0.0
		for _, p := range f.After {
			if !live[p] || !w.mayTrigger(p, id) {
				continue
			}
			live[id] = true
			if via[id] < 0 || f.Join == JoinAll && best[p] > before || f.Join == JoinFirst && best[p] < before {
				via[id], before = p, best[p]
			}
		}
		if !live[id] {
			continue
		}
		best[id] = before
		if f.Kind == Task {
			best[id] += f.Compute.Mean()
		}
		if end < 0 || best[id] > best[end] {
			end = id
		}
	}
	var path []FunctionID
	for f := end; f >= 0; f = via[f] {
		path = append(path, f)
	}
	for i, j := 0, len(path)-1; i < j; i, j = i+1, j-1 {
		path[i], path[j] = path[j], path[i]
	}
	return path, best[end]
}

// mayTrigger reports whether the control edge p → f is taken with a
// probability above 0.
func (w *Workflow) mayTrigger(p, f FunctionID) bool {
	if w.Functions[p].Kind != Switch {
		return true
	}
	for _, branch := range w.Functions[p].Branches {
		for _, to := range branch.To {
			if to == f && branch.Probability > 0 {
				return true
			}
		}
	}
	return false
}

// Bytes says how much data an invocation is expected to move.
type Bytes struct {
	// Written is the sum of all outputs, Read that of all inputs that a
	// function produced, and Global that of all global inputs.
	Written, Read, Global float64
}

// TotalBytes returns the expected bytes of one invocation in which every
// function runs, whatever its switches would choose.
func (w *Workflow) TotalBytes() Bytes {
	var total Bytes
	for i := range w.Functions {
		f := &w.Functions[i]
		instances := w.Instances(f.Scope)
		for o := range f.Outputs {
			total.Written += instances * w.outputBytes(FunctionID(i), int32(o))
		}
		for _, in := range f.Inputs {
			if in.From == GlobalInput {
				total.Global += instances * float64(in.Size)
			} else {
				total.Read += w.InputBytes(FunctionID(i), in)
			}
		}
	}
	return total
}

// Instances is the expected number of instances that a function of the scope
// has in one invocation.
func (w *Workflow) Instances(s ScopeID) float64 {
	n := 1.0
	for ; s > 0; s = w.Scopes[s].Parent {
		over := w.Scopes[s].Over
		n *= w.Functions[over.Function].Outputs[over.Output].Items.Mean()
	}
	return n
}

// OutputBytes is the expected sum of all outputs of one instance of f.
func (w *Workflow) OutputBytes(f FunctionID) float64 {
	sum := 0.0
	for o := range w.Functions[f].Outputs {
		sum += w.outputBytes(f, int32(o))
	}
	return sum
}

// outputBytes is the expected size of an output of one instance of f.
func (w *Workflow) outputBytes(f FunctionID, output int32) float64 {
	o := &w.Functions[f].Outputs[output]
	if o.List {
		return o.Size.Total(o.Items.Mean())
	}
	// A size that is fixed for each item is that of the innermost foreach.
	instances := 1.0
	if s := w.Functions[f].Scope; s > 0 {
		over := w.Scopes[s].Over
		instances = w.Functions[over.Function].Outputs[over.Output].Items.Mean()
	}
	if instances == 0 {
		return o.Size.Mean()
	}
	return o.Size.Total(instances) / instances
}

// InputBytes is the expected number of bytes that all instances of f together
// read through one input, which is not a global one.
func (w *Workflow) InputBytes(f FunctionID, in Input) float64 {
	readers, size := w.Instances(w.Functions[f].Scope), w.outputBytes(in.From, in.Output)
	switch in.Access {
	case AccessGather:
		return size * w.Instances(w.Functions[in.From].Scope)
	case AccessItem:
		if readers == 0 {
			return 0
		}
		return size * readers / w.Functions[in.From].Outputs[in.Output].Items.Mean()
	default:
		return size * readers
	}
}

// itemScope returns the scope around f that iterates over the list read by in.
func (w *Workflow) itemScope(f FunctionID, in Input) ScopeID {
	s := w.Functions[f].Scope
	for w.Scopes[s].Over != (OutputRef{in.From, in.Output}) {
		s = w.Scopes[s].Parent
	}
	return s
}

// ItemLevel returns the position in an instance's path of the foreach that
// iterates over the list read by in, whose Access is AccessItem.
func (w *Workflow) ItemLevel(f FunctionID, in Input) int {
	return w.Scopes[w.itemScope(f, in)].Depth - 1
}
