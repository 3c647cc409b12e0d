// Package figures draws the figures of a report or a paper from plain data.
//
// It knows nothing of simulators, emulators or schedulers. A figure is a value
// of one of these types, with a method Draw:
//
//   - [Bars]: groups of bars with intervals, ours beside published ones
//   - [CDF]: distributions of samples
//   - [Lines]: a quantity over a rate or a size, with intervals and timeouts,
//     and a second axis if need be
//   - [Breakdown]: stacked bars of phases
//   - [TimeSeries]: several quantities over the same time
//   - [Gantt]: one invocation, a row a function instance
//   - [Panels]: several of the first four in a grid, under one legend
//
// Draw lays everything out and cannot fail: data that cannot be drawn (NaN,
// infinite, beyond ±1e100) is left out or marked, and a figure without data
// says "no data". The [Figure] it returns is drawn once and then written as
// SVG, PNG and PDF, all three the same.
//
// # What all figures have in common
//
// Colours are those of Okabe and Ito, which colour-blind readers can tell
// apart. None carries a meaning alone: bars differ in hatching too, lines in
// dashes and markers, and the first four also in grey level, so a figure
// survives a black-and-white printer. What a paper published looks like ours of
// the same system, but hollow: outlined bars, thin dotted lines, hollow
// markers. A measurement that timed out is never left out: it is a torn stub
// with the word, or a marker in a lane of its own above the axis.
//
// Text is Liberation Sans (metrically the same as Arial). The canvas grows with
// its content; long names are wrapped or turned, and only shortened in the
// middle where they would be longer than a figure is wide.
//
// # Why not plot.Plot
//
// Drawing, fonts and output formats are gonum.org/v1/plot's (its packages
// vg, font, vgsvg and vgimg). Its type Plot is not used: it has one pair of
// axes on a canvas of fixed size, puts the legend on the data, cuts labels
// that are too long and panics on values ≤ 0 on a logarithmic axis.
package figures
