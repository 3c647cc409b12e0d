// Package wire is the binary form of what nodes tell each other and of what
// their engines are told: control messages on connections, events and effects
// in recordings of a run.
//
// Everything is a sequence of varints without tags: both ends are flowtwin,
// and a connection or a file begins with the [Version] of the form. Zeros,
// which are most of what an event holds, take a byte each.
package wire

// Version of the form. It is another one whenever the form changes.
const Version = 2
