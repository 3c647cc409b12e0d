// Package slab keeps values under small numbers that are used again. Values
// lie in chunks that never move, so that growing copies nothing, and a pointer
// to a value stays good until its number is given back.
package slab

const (
	bits  = 8
	chunk = 1 << bits
)

// Slab holds values of one type. The zero Slab is empty.
type Slab[T any] struct {
	chunks []*[chunk]T
	used   uint32 // numbers that have ever been taken
	free   []uint32
}

// Take returns a number that is not in use. Its value is the zero value, or
// what it was when the number was given back.
func (s *Slab[T]) Take() uint32 {
	if last := len(s.free) - 1; last >= 0 {
		i := s.free[last]
		s.free = s.free[:last]
		return i
	}
	if s.used>>bits == uint32(len(s.chunks)) {
		s.chunks = append(s.chunks, new([chunk]T))
	}
	s.used++
	return s.used - 1
}

// Give gives a number back.
func (s *Slab[T]) Give(i uint32) { s.free = append(s.free, i) }

// At returns the value of a number that has been taken.
func (s *Slab[T]) At(i uint32) *T { return &s.chunks[i>>bits][i&(chunk-1)] }

// Used is how many numbers have ever been taken: they are all below it.
func (s *Slab[T]) Used() uint32 { return s.used }

// Taken is how many numbers are in use.
func (s *Slab[T]) Taken() int { return int(s.used) - len(s.free) }
