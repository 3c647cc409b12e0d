// Package engine is the scheduling under study, as a pure state machine: the
// same code is driven by the simulator in virtual time and by the emulator in
// real time.
//
// Each machine of a cluster has one [Node], with the roles that the cluster
// places there: gateway, master, worker. Its driver calls [Node.Step] with an
// [Event]; the node changes its state and appends [Effects]. It never blocks,
// calls out, starts a goroutine, or looks at a clock. What takes time is the
// driver's: links, processors, stores, the start of containers, the execution
// of functions. What is known only at run time the driver reports: the length
// of a list, the branch of a switch, that a task has failed.
//
// A [Scheduler] is three choices. Its control scheme decides who triggers
// functions, by which messages; its placement decides where they run; its data
// rule decides where outputs are put and inputs are found. Nothing else in the
// engine knows which scheduler runs.
//
// # The driver's duties
//
//  1. Make one [System] for all nodes of a run, or equal ones from equal
//     arguments, and one Node for each machine.
//  2. Call Step from one goroutine at a time for each Node (for each System,
//     if nodes share it), with times that never decrease. Time is in
//     nanoseconds. If handling events takes time, Step is called when it
//     begins, and the effects are applied when it ends.
//  3. Apply effects in the order of the list, then Reset it. An effect is
//     valid until then: copy what is needed longer. Never call Step of the
//     same node while applying.
//  4. Deliver messages between two nodes in the order they were sent, also
//     those that a node sends itself. A message may come late, and may be
//     lost if both machines, as far as they are alive, are told that the other
//     was out of reach (16).
//  5. For EffectAdmit, remember which arrival the Invocation stands for.
//     Its slot will be used again under a higher generation, so check that
//     too before charging anything to it.
//  6. For EffectStart, report EventContainerUp or EventContainerFailed once.
//     If the container dies, report EventContainerLost once, and no more of
//     what runs in it.
//  7. For EffectRun, fetch the inputs from the Plan's Sources, all in
//     parallel; run the function; put each output when it is posted, into the
//     store, then the memory, then the pipe, as the Plan's Targets say, one
//     after the other. Report EventItems for each list when it is posted,
//     before anything of it, and EventTaskEnded with the outcome when all is
//     put. A container is given one task at a time.
//  8. What goes into the pipe is handed to the container's data unit, which
//     sends it to the broker while the task goes on, and when the container
//     has long taken up another one. Number of EventTaskEnded says how many
//     bytes the task has handed over. The container is then given no task for
//     as long as Rules.Pressure says; there is nothing to do about that.
//  9. If the Plan says Announce, report EventPosted for each datum, which is
//     an output or an item of a list: when it has been put into the store and
//     the memory (Way says where), and by itself when its first chunk is at
//     the broker (Way is Pipe; Handle is for the driver that will fetch it, and
//     means nothing to the engine). A datum that would go elsewhere than the
//     store and has no more bytes than the Plan's Inline is not put at all: it
//     is reported at once, and Way is Inline. Reports may come after the end of
//     the task; that of a task that fails need not come, and may.
//  10. For EffectPrefetch, bring a datum from where Handle says onto this
//     node's disk, and report EventArrived when its last byte is there. With
//     Rules.EarlyStart or ForeachRace, who reads it may run before: it waits
//     inside for the rest.
//  11. For EffectSpill, move a datum from this node's memory to its disk. Plans
//     go on to say FromMemory; look on the disk for what has been spilled. For
//     EffectDrop, forget a datum of this node, wherever it is. Neither is
//     answered.
//  12. For EffectStop, kill what runs in the container and report no more of
//     it. Its data unit sends what it has, and that is reported as ever. But
//     if a container is lost, so is what its data unit has not sent in full:
//     report EventDataLost for each invocation that this concerns, with its
//     Invocation alone.
//  13. For EffectEvaluate, fetch the inputs and report EventSwitched. For
//     EffectDocument, perform the operation and report EventDocument with the
//     effect's Subject, Call, Items and Document.
//  14. For EffectTimer, report EventTimer not before At. At most one timer of
//     each name matters at a time, there is no way to cancel one, and one that
//     fires early does no harm.
//  15. Exactly one EffectFinish comes for each EffectAdmit, if time goes on for
//     long enough.
//  16. Report EventPeerLost to every node when a machine has been out of its
//     reach for the agreed time, and EventPeerBack when it can be reached
//     again. A machine that comes back without its memory begins with
//     RestartNode; its loss is reported before its return. What was meant for
//     the old node alone (of its containers, data units, timers, switches and
//     documents, and what it sent itself) is void; messages of others may still
//     come. The gateway and the storage node are not supposed to be lost.
//  17. For EffectRelease, drop all data of the invocation on this node, also
//     what is being sent from here or fetched. Tasks that are left to end (see
//     below) do so all the same: what they have not got by then they go on
//     without.
//  18. Reports about a container or an invocation that is no more are counted
//     as stale and dropped, so late ones need no special care.
//
// # What ends when
//
// The end of an invocation (or of one attempt) is told to all nodes that may
// know of it. They drop its state and its data, and queued tasks are removed.
// What becomes of those that run depends on how it ended. If it has completed,
// they are left to end: a function may have posted the result and have
// something left to do, and under data-driven control nobody waits for what no
// result depends on. Their containers are given back as always, and nothing
// follows from their ends. If it failed or was given up, they are killed
// together with their containers. A node remembers the last generation and
// attempt of each slot, so that a message that comes late revives nothing; its
// sender is told to release as well.
//
// A task that fails is run again on the same node, up to Rules.TaskRetries
// times. When a node is lost, or data that were there, the gateway begins
// another attempt over the nodes that are left, up to Rules.Attempts in all.
// So functions run at least once, and an invocation ends exactly once. A datum
// that comes again, because the task that posts it was run again, is ignored.
//
// # Who counts as lost
//
// A worker is lost as soon as the gateway, or anyone who is not lost, is
// without it; it is taken back when nobody is. Each change is a deployment,
// numbered by its epoch and announced to all who are not lost; an attempt
// belongs to the deployment that it began under. Who is taken back is told to
// drop all attempts from before that, and takes part in none of them again.
package engine
