// Package agent drives the engine of one node of an emulated cluster.
//
// An [Agent] is a loop: it takes an event, has the engine handle it, and does
// what the engine asks for. Whatever takes time (starting containers, running
// tasks, operations on the database, waiting) goes on beside the loop and comes
// back as an event. The agent decides nothing that the engine should: it does
// the driver's duties of package engine, and no more.
//
// What a container is, where data are kept and how messages travel is the
// back end's, behind the interfaces of [Config].
package agent
