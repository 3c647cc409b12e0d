package workflow

import (
	"encoding/binary"
	"errors"
	"strconv"
	"strings"
)

// MaxNesting is how deep foreach regions may nest.
const MaxNesting = 8

// Level says which item of a foreach an instance works on, and of how many.
type Level struct {
	Index, Of uint32
}

// Path names one instance of a function: a Level for each foreach around it,
// outermost first. The zero Path is that of functions outside any foreach.
// Paths are values, comparable, and allocate nothing.
type Path struct {
	depth  uint32
	levels [MaxNesting]Level
}

// Depth is the number of foreach levels in the path.
func (p Path) Depth() int { return int(p.depth) }

// Level returns the level at position i, 0 being the outermost.
func (p Path) Level(i int) Level { return p.levels[i] }

// Last returns the innermost level, or Level{0, 1} for the empty path.
func (p Path) Last() Level {
	if p.depth == 0 {
		return Level{0, 1}
	}
	return p.levels[p.depth-1]
}

// Item returns the path of instance index of a foreach with the given number
// of items, opened by the instance p.
func (p Path) Item(index, of uint32) Path {
	p.levels[p.depth] = Level{index, of}
	p.depth++
	return p
}

// Outer returns the path cut to its outermost depth levels.
func (p Path) Outer(depth int) Path {
	for int(p.depth) > max(depth, 0) {
		p.depth--
		p.levels[p.depth] = Level{}
	}
	return p
}

// Parent returns the path without its innermost level. The empty path is its
// own parent.
func (p Path) Parent() Path { return p.Outer(int(p.depth) - 1) }

// MarshalBinary writes the path for another process: its depth, and eight
// bytes for each level.
func (p Path) MarshalBinary() ([]byte, error) {
	b := []byte{byte(p.depth)}
	for i := range p.depth {
		b = binary.BigEndian.AppendUint32(b, p.levels[i].Index)
		b = binary.BigEndian.AppendUint32(b, p.levels[i].Of)
	}
	return b, nil
}

// UnmarshalBinary reads what MarshalBinary has written.
func (p *Path) UnmarshalBinary(b []byte) error {
	if len(b) == 0 || b[0] > MaxNesting || len(b) != 1+8*int(b[0]) {
		return errors.New("these bytes are no path")
	}
	*p = Path{}
	for at := b[1:]; len(at) > 0; at = at[8:] {
		*p = p.Item(binary.BigEndian.Uint32(at), binary.BigEndian.Uint32(at[4:]))
	}
	return nil
}

// String shows the path as "[3/8]", an index (counted from 0) and the number
// of items for each level; the empty path is "".
func (p Path) String() string {
	if p.depth == 0 {
		return ""
	}
	var s strings.Builder
	for i := range p.depth {
		l := p.levels[i]
		s.WriteByte('[')
		s.WriteString(strconv.FormatUint(uint64(l.Index), 10))
		s.WriteByte('/')
		s.WriteString(strconv.FormatUint(uint64(l.Of), 10))
		s.WriteByte(']')
	}
	return s.String()
}
