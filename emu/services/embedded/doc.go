// Package embedded starts the servers of all services inside this process, on
// TCP ports of the loopback interface, with the real protocols: a run on one
// machine needs nothing but Go.
package embedded
