package yamlfile

// Limits that no sensible file meets. They make sure that a file which is
// broken, binary or hostile ends in one clear error, in time linear in its
// size: the YAML parser underneath is recursive, and quadratic in the length
// of a block mapping, in the number of empty values, and more.
const (
	// MaxFile bounds the size of a file in bytes; a workflow of a million
	// functions takes 110 to 270 MiB.
	MaxFile = 512 << 20
	// maxDepth is how deep mappings and lists may nest.
	maxDepth = 64
	// maxErrors is how many errors are collected.
	maxErrors = 200
	// maxAliased bounds the values that aliases repeat, in the whole file.
	maxAliased = 1_000_000
	// pieceSize is how many bytes are given to the parser at a time, and
	// pieceEntries how many entries of one mapping or list.
	pieceSize    = 16 << 10
	pieceEntries = 200
	// A part of a file that cannot be cut into such pieces may have
	// maxUncut bytes; if it is made of nothing but [ ] { } : , and scalars,
	// as a long list of numbers is, maxFlow.
	maxUncut = 64 << 10
	maxFlow  = 4 << 20
	// maxNulls bounds the empty values inside the brackets of one piece.
	maxNulls = 500
	// maxBlankLines bounds how many empty lines follow one another.
	maxBlankLines = 500
)
