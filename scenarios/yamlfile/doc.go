// Package yamlfile reads YAML files into Go structs and reports everything
// that is wrong with one, not just the first thing.
//
// Scenario, profile and workflow files are written by hand. Who mistypes three
// keys wants to hear of all three, each with its line and the key that was
// probably meant; and what a program later finds wrong with a value that reads
// well (a function that does not exist, a rate that overloads the cluster)
// should be reported in the same way, beside the other errors and in the order
// of the file. Decoders of YAML libraries stop at the first error and forget
// positions, so this package takes the syntax tree of one and walks it itself:
//
//	doc, err := yamlfile.Read("scenario.yaml")
//	if err != nil { ... }                     // not YAML
//	var s Scenario
//	doc.Decode(&s)                            // collects errors
//	doc.Decoded()                             // no more of what cannot be read
//	if s.Trials > 1000 {
//		doc.Errorf("trials", "%d trials take days", s.Trials)
//	}
//	return doc.Err()                          // all of them, sorted
//
// # Structs
//
// A field is decoded if it has a tag yaml:"name", or yaml:"name,required".
// Its doc:"..." tag describes it in the JSON Schema (see [Schema]). Embedded
// structs count as part of the struct around them. A null stands for an empty
// mapping, list or pointer; a scalar cannot be null.
//
// A mapping whose order matters decodes into a slice of structs, one of whose
// fields has the tag yaml:",key" and takes the key. A type that takes several
// forms implements [Unmarshaler].
//
// # What is not YAML here
//
// Anchors and aliases work. Refused are duplicate keys, merge keys (<<), tags
// (!x), explicit keys (?) and more than one document in a file, each with its
// position; and, so that hostile or broken files end in an error soon, deep
// nesting and aliases that multiply (see the limits in limits.go).
package yamlfile
