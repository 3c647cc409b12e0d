// Package stats turns samples into numbers that can be trusted, and says how
// far.
//
// Simulators and load tests make it easy to print a mean of correlated samples
// with an interval that is far too narrow, or a p99 of twelve requests. This
// package keeps to four rules:
//
//   - Percentiles are exact: an order statistic of all samples, by nearest
//     rank. [Supported] says whether there are enough samples to report one.
//   - An interval of a mean resamples what is independent: whole trials if
//     there are five or more, else blocks of consecutive samples. It says
//     which ([Method]), and every doubt is a warning, not a footnote.
//   - Two schedulers are compared in pairs: the same invocation of the same
//     trial under both ([Compare]).
//   - The same samples and the same seed give the same numbers, bit for bit
//     on one architecture.
//
// Samples that are NaN or infinite stand for missing measurements. They are
// left out and counted; no input panics.
package stats
