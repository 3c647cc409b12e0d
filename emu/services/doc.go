// Package services is what the emulator's services have in common: how
// objects are named, how their integrity is kept, and how traffic is counted.
//
// The services themselves are in the packages below. Adapters speak to a
// server, whoever started it:
//
//   - memory: the data store in a node's memory, over Redis
//   - store: the remote store and the documents, over CouchDB
//   - broker: the pipe that streams data between nodes, over Kafka
//
// Servers speak the same protocols inside this process, so that a run needs
// nothing but Go: embedded starts them all, couchserver is the CouchDB among
// them. Package conformance holds embedded and real servers against one suite.
//
// Every adapter takes a [Dial], by which its connections can be shaped, and
// counts with a [Meter].
package services
