// Package units reads and writes the quantities of scenario, profile and
// workflow files: durations, byte counts, bandwidths, rates and fractions.
//
// A bare number in a file says too little: "timeout: 5" may be seconds or
// minutes, "link: 50" megabits or megabytes. So a quantity carries its unit
// ("5min", "50MB/s"), a wrong one is refused with an example of a right one,
// and what was read is exact wherever a whole number of nanoseconds or bytes
// allows it. MB is 10^6 bytes, MiB is 2^20, and a bit is an eighth of a byte.
//
// Every type has three forms of text. MarshalText and String give the exact
// value in a form that reads back as the same value ("1.5s", "256MiB"). Human
// gives three significant digits for tables ("1.31 s", "7.8 MB").
package units
