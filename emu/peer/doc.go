// Package peer carries messages between the nodes of an emulated cluster.
//
// A [Mesh] is one node's end: it has one persistent TCP connection to each
// peer for what it sends, and takes one from each for what it hears. So there
// is one for each ordered pair, and messages between two nodes stay in order.
//
// A TCP connection may break although both nodes are well. What it carried is
// therefore numbered within a session, acknowledged, and sent again on the
// next connection: within a session every message comes exactly once. A
// session ends when one of the ends has not heard of the other for as long as
// a lost peer takes to be noticed. Then messages may have been lost, and both
// ends are told so: who did not notice learns from the number of the next
// session. This is what engines are promised (duties 4 and 12 of package
// engine).
package peer
