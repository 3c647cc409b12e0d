package data

import "github.com/flowtwin/flowtwin/engine/workflow"

// Local reports whether a reader finds an output in the memory of its own
// node: the producer ran there, and its outputs are kept in memory.
func Local(producer Target, producerWorker, readerWorker int32) bool {
	return producerWorker == readerWorker && producer&Memory != 0
}

// Locality is how many bytes of one invocation are expected to be read from
// the memory of the reader's node, and how many from elsewhere. Global inputs
// are not counted, and every function is taken to run, whatever the switches
// would choose.
type Locality struct {
	LocalRead, RemoteRead float64
}

// LocalityOf returns the locality of a workflow whose functions are placed on
// the given workers and whose outputs are kept in the given targets.
func LocalityOf(w *workflow.Workflow, worker []int32, targets []Target) Locality {
	var l Locality
	for i := range w.Functions {
		reader := workflow.FunctionID(i)
		for _, in := range w.Functions[i].Inputs {
			switch {
			case in.From == workflow.GlobalInput:
			case Local(targets[in.From], worker[in.From], worker[reader]):
				l.LocalRead += w.InputBytes(reader, in)
			default:
				l.RemoteRead += w.InputBytes(reader, in)
			}
		}
	}
	return l
}

// LocalFraction is the share of bytes that are read locally, between 0 and 1;
// 1 if nothing is read.
func (l Locality) LocalFraction() float64 {
	total := l.LocalRead + l.RemoteRead
	if total == 0 {
		return 1
	}
	return l.LocalRead / total
}
