//go:build race

package repro_test

// raceDetector: tests of millions of invocations would take tenfold.
const raceDetector = true
