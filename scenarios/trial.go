package scenarios

import (
	"slices"

	"github.com/flowtwin/flowtwin/engine"
	"github.com/flowtwin/flowtwin/engine/placement"
	"github.com/flowtwin/flowtwin/engine/workflow"
	"github.com/flowtwin/flowtwin/scenarios/load"
	"github.com/flowtwin/flowtwin/scenarios/profile"
	"github.com/flowtwin/flowtwin/scenarios/units"
)

// Trial is all that a world needs to run a point of a scenario once. Trials
// of one point differ only in Number and Seed.
type Trial struct {
	// Point and Number count from 0.
	Point, Number int
	Seed          uint64
	// Workflows run together; Loads holds the load on each.
	Workflows []*workflow.Workflow
	Loads     []load.Plan
	Cluster   Cluster
	Scheduler engine.Scheduler
	Profile   *profile.Profile
	Faults    []Fault

	plan *Plan // that it is of
}

// Cluster is the machines of a trial.
type Cluster struct {
	Workers          []Machine
	Gateway, Storage Machine
	// StorageCap limits the bytes on the wire to and from the services of the
	// storage node, each way. 0 means no cap.
	StorageCap units.Bandwidth
	// HostCores, if above 0, is the number of cores that all nodes share, as
	// those of an emulated cluster on one machine do.
	HostCores float64
}

// Machine is one node.
type Machine struct {
	Cores  float64
	Memory units.Bytes
	// Link is the bandwidth of its link, each way.
	Link units.Bandwidth
}

// Nodes are numbered alike in all worlds.
const (
	GatewayNode engine.NodeID = iota
	StorageNode
	FirstWorker
)

// Engine returns the cluster as the engine sees it.
func (c *Cluster) Engine() engine.Cluster {
	e := engine.Cluster{Gateway: GatewayNode, Storage: StorageNode}
	for i, m := range c.Workers {
		e.Workers = append(e.Workers, FirstWorker+engine.NodeID(i))
		e.Capacity = append(e.Capacity, placement.Worker{Cores: m.Cores, Memory: int64(m.Memory)})
	}
	return e
}

// PayloadShare is the share of the bytes on the wire that is payload: 1448
// bytes of each Ethernet frame of 1514. Caps count bytes on the wire.
const PayloadShare = 1448.0 / 1514.0

// FaultKind says what goes wrong.
type FaultKind uint8

const (
	// Kill stops a node with everything on it; it comes back empty.
	Kill FaultKind = iota
	// Pause freezes a node.
	Pause
	// Partition cuts a node off from others.
	Partition
	// SlowLink divides the bandwidth of a node's link.
	SlowLink
	// StopService stops a service: the store, or the memory of a node.
	StopService
	// CrashFunction kills a container of a function that is running.
	CrashFunction
)

// Fault is one thing that goes wrong at a given time.
type Fault struct {
	Kind FaultKind
	// At is when it begins, For how long it lasts; 0 means until the end.
	At, For engine.Time
	Node    engine.NodeID
	// Peers are those that a Partition cuts Node off from; empty: all.
	Peers []engine.NodeID
	// Factor is what SlowLink divides the bandwidth by.
	Factor float64
	// Workflow and Function are those of CrashFunction.
	Workflow int
	Function workflow.FunctionID
}

// Cuts reports whether a Partition, or what stops Node as a whole, keeps it
// apart from another node.
func (f *Fault) Cuts(other engine.NodeID) bool {
	return f.Kind != Partition || len(f.Peers) == 0 || slices.Contains(f.Peers, other)
}

// Streams reports whether the trial's scheduler streams data, for which there
// must be a broker.
func (t *Trial) Streams() bool {
	_, streams := t.Scheduler.Data.(engine.Streaming)
	return streams
}

// EverStreams reports whether any trial of the same scenario streams data, so
// that a broker can be there in time.
func (t *Trial) EverStreams() bool {
	for point := range t.plan.Points {
		if t.plan.Trial(point, 0).Streams() {
			return true
		}
	}
	return false
}
