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

	// The quirks, all of them of the FaaSFlow artefact.

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
	// RunOnAfterTimeout: an invocation goes on when its client has given up.
	RunOnAfterTimeout bool
}
