//go:build race

package flowtwin_test

// raceDetector: what is held to real time is late under it.
const raceDetector = true
