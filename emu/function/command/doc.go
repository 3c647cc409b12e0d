// Package command makes bodies of a program of the user's, in any language.
//
// A program is started once for a container and runs one task after the other.
// It asks for them over HTTP on a loopback address, in the manner of AWS
// Lambda's runtime API, and needs nothing but an HTTP client. The protocol is
// in docs/functions.md.
package command
