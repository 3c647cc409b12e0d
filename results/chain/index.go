package chain

import (
	"slices"

	"github.com/flowtwin/flowtwin/engine/workflow"
)

// index finds what an instance in a foreach has done, of which there may be
// many, by a hash of its name.
type index struct {
	heads   []int32 // by the lower bits of the hash: the last entry, or none
	entries []entry
	read    int // of all, entered or not: only a look-up has the rest read
}

// entry says at which place something is, and which entry before has the same
// head.
type entry struct {
	hash        uint32
	at, earlier int32
}

// reset forgets all entries.
func (x *index) reset() {
	x.read = 0
	if len(x.entries) > 0 {
		x.entries = x.entries[:0]
		x.clear()
	}
}

func (x *index) clear() {
	for i := range x.heads {
		x.heads[i] = none
	}
}

// add notes what is at a place.
func (x *index) add(hash uint32, at int32) {
	x.entries = append(x.entries, entry{hash: hash, at: at})
	if len(x.entries) <= len(x.heads) {
		x.link(len(x.entries) - 1)
		return
	}
	heads := max(16, 2*len(x.heads)) // a power of two
	x.heads = slices.Grow(x.heads[:0], heads)[:heads]
	x.clear()
	for e := range x.entries {
		x.link(e)
	}
}

func (x *index) link(e int) {
	head := &x.heads[x.entries[e].hash&uint32(len(x.heads)-1)]
	x.entries[e].earlier, *head = *head, int32(e)
}

// last returns the entry of a hash that was added last, or none.
func (x *index) last(hash uint32) int32 {
	if len(x.entries) == 0 {
		return none
	}
	return x.skip(x.heads[hash&uint32(len(x.heads)-1)], hash)
}

// before returns the one that was added before it.
func (x *index) before(e int32) int32 { return x.skip(x.entries[e].earlier, x.entries[e].hash) }

func (x *index) skip(e int32, hash uint32) int32 {
	for e != none && x.entries[e].hash != hash {
		e = x.entries[e].earlier
	}
	return e
}

// hashOf is the hash of a datum, or of an instance with -1 for the output.
func hashOf(f workflow.FunctionID, output int32, path *workflow.Path) uint32 {
	h := uint32(f)*31 + uint32(output) + 1
	for i := range path.Depth() {
		h = h*0x9e3779b1 + path.Level(i).Index // 2³² divided by the golden ratio
	}
	h *= 0x9e3779b1
	return h ^ h>>16
}
