// Package bodies holds what the functions of the papers' applications really
// do: count words, decompose a matrix, convert Markdown, look at a picture,
// transcode a film.
//
// A workflow file says how long a function computes and how much it writes.
// That is what an emulator needs to be compared with a simulator, but it moves
// random bytes, and nobody can tell from its results that every datum has
// reached whom it was meant for. A [Body] computes for real, from the bytes
// that its inputs hold, so the last function's output can be checked: it is
// right only if no datum was lost, doubled or mixed up on the way.
//
// A body knows nothing of emulators. It gets its inputs and posts its outputs
// through a [Call], and how many items a list has is the workflow's own, which
// those who read it need to know: [Call.Fan] says it. What the applications
// are given (texts, a matrix, a picture, a film) is made here, the same every
// time and about as large as the workflow says; only films need a program
// besides, ffmpeg.
package bodies
