//go:build !race

package flowtwin_test

const raceDetector = false
