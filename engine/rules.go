package engine

import "github.com/flowtwin/flowtwin/engine/pool"

// Rules are the constants and quirks of a platform that the engine itself
// obeys. What things cost is not among them: that is the world's.
type Rules struct {
	Pool pool.Rules
	// Timeout ends an invocation that has not completed by then, counted from
	// its arrival at the gateway. 0: never.
	Timeout Time
	// TaskRetries is how often a failed task is run again.
	TaskRetries int
	// Attempts is how often an invocation is begun when a node or its data
	// are lost; at least 1.
	Attempts int

	// Inline is the size, in bytes, up to which an output that would be
	// streamed travels in the message that announces it; 0: none does.
	Inline int64
	// EarlyStart: a function starts when the first chunk of its last input is
	// there, and waits for the rest of it inside.
	EarlyStart bool
	// Pressure holds back containers that post faster than they send.
	Pressure Pressure
	// MemoryLifetime is how long a datum that is streamed to others stays in
	// its node's memory for those nearby; then it is moved to disk. 0: for as
	// long as it is needed.
	MemoryLifetime Time

	// The quirks, most of them of the FaaSFlow artefact.

	// DispatchTick: queued tasks are looked at only on a grid of this length,
	// one for each function at a time. 0: at once.
	DispatchTick Time
	// BindColdStart: a task for which a container is being started waits for
	// a start to end, even if another container falls idle before.
	BindColdStart bool
	// ProbeAllWorkers: the master asks all workers for their state, and waits
	// for all answers, before it triggers a function. The answers do not
	// matter.
	ProbeAllWorkers bool
	// PlacementQuery: the gateway looks up the worker of each start function
	// in the database.
	PlacementQuery bool
	// TimingDocuments: a worker writes how long a function took to the
	// database before it reports its end.
	TimingDocuments bool
	// ListDocuments: the list that a foreach iterates over is read from the
	// database.
	ListDocuments bool
	// OneDocumentPerRequest: all stored outputs of an invocation are parts of
	// one document that is guarded by its revision.
	OneDocumentPerRequest bool
	// LogDocuments: a document is written for each key fetched or put.
	LogDocuments bool
	// MissingGlobalInputs: global inputs are never uploaded; reading one is a
	// look-up in vain.
	MissingGlobalInputs bool
	// RequestDocument: the gateway makes a document for each invocation before
	// it tells anyone of it.
	RequestDocument bool
	// MatchTick: what arrives on a node is matched with those who read it on a
	// grid of this length, one datum at a time. 0: at once.
	MatchTick Time
	// CountAtEnd: the length of a list becomes known only when the function
	// that posts it has ended, so that a merge cannot run before that.
	CountAtEnd bool
	// ForeachRace: an instance in a foreach runs when its item is there, with
	// whatever other inputs have arrived by then.
	ForeachRace bool
	// RunOnAfterTimeout: an invocation goes on when its client has given up.
	RunOnAfterTimeout bool
}

// Pressure is DataFlower's pressure-aware scaling: after a task has left B
// bytes to its container's data unit and run for a time T, the container takes
// no other for B / (Rate × cores) − T, so that new tasks go to others. Cores
// are those of the function, 1 if it does not say.
type Pressure struct {
	// Rate in bytes per second and core; 0: containers are never held back.
	Rate float64
	// Least is the shortest time that a container is held back for.
	Least Time
}

// Hold is how long a container is held back after a task that left so many
// bytes to its data unit and ran for a time on so many cores.
func (p *Pressure) Hold(bytes int64, cores float64, ran Time) Time {
	if p.Rate == 0 || bytes == 0 {
		return 0
	}
	if cores == 0 {
		cores = 1
	}
	hold := Time(float64(bytes)/(p.Rate*cores)*float64(Second)) - ran
	if hold < max(p.Least, 1) {
		return 0
	}
	return hold
}
