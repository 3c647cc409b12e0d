// Package local is the back end of the emulator that needs nothing but Go: the
// nodes of a cluster are agents in this process, functions run as goroutines,
// and the services speak their real protocols over loopback.
//
// What is real: every message between nodes goes through a TCP connection,
// every datum is made, sent to a service, read back and checked, every timer
// is the clock's. What stands for something else is named in the manifest of a
// run: a container is a goroutine that waits as long as a cold start takes, a
// computation is drawn and waits or keeps a processor busy, unless there are
// real bodies, and bandwidth is limited in user space.
package local
