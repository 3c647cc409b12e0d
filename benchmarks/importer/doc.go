// Package importer turns workflows in the formats of other systems into ours.
//
// Whoever compares with a paper, or has workflows for another system, has
// files already and will not write them again. But no two formats say the same
// things: what ours needs and theirs leaves out has to be assumed, and what
// they say and ours does not know has to be dropped. Every such step is told
// in a [Note], so that one can judge it and correct the result, which is a
// workflow like any other and can be written to a file.
package importer
