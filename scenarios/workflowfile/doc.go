// Package workflowfile reads and writes workflows as YAML files.
//
// A workflow of a paper, or one's own, should be a file that one can read from
// top to bottom, mail to a colleague and change in one place: functions in an
// order that means something, each with what it reads, how long it computes
// and what it hands on. The graph itself is that of package workflow; this
// package only gives it a text.
//
//	name: wordcount
//	defaults: {memory: 256MiB, max_containers: 60}
//	functions:
//	  start:
//	    compute: 20ms
//	    outputs:
//	      file: {items: 8, size: 423KB}
//	  count:
//	    foreach: start.file
//	    inputs: [start.file]
//	    compute: {normal: {mean: 120ms, sd: 10ms}}
//	    outputs: {words: 92KB}
//	  merge:
//	    merge: true
//	    inputs: [count.words]
//	    compute: 50ms
//	    outputs: {result: 325053}
//
// All that is wrong with a file is reported at once, with file, line and
// column: bad syntax, bad values, names that do not exist (with the name that
// was probably meant) and graphs that cannot run. [Write] makes a file that
// reads back as the same workflow, except that it lists a function's global
// inputs after the others: all are read at the same time.
package workflowfile
