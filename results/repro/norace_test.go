//go:build !race

package repro_test

const raceDetector = false
