//go:build race

package sim_test

// raceDetector: tests of millions of invocations would take tenfold.
const raceDetector = true
