// Package pace makes the emulator as slow as a platform is.
//
// What is emulated is written in Go and talks over loopback or a bridge; the
// papers' proxies are written in Python and open a connection for each message.
// Without pacing a run measures the schedulers on what there is here. With it,
// whoever does what a constant of the profile is about is held until the
// constant's time is over: a [Pacer] wraps what an agent and its functions
// reach the world through, on whatever back end.
//
// An operation that is real is held to a floor: it is performed, and its answer
// is kept back until the constant's time has passed, so nothing is counted
// twice. If the real thing is slower than the constant, it stays as slow as it
// is. What cannot be held this way, such as the shares that many transfers get
// inside a store, is not: profile.Emulated says what becomes of each constant.
package pace
