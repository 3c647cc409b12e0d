package sim

import "slices"

// fifo is a queue that keeps its storage.
type fifo[T any] struct {
	items []T
	first int
}

func (f *fifo[T]) len() int { return len(f.items) - f.first }

func (f *fifo[T]) push(item T) {
	if len(f.items) == cap(f.items) {
		f.items = slices.Grow(f.items, len(f.items)+1) // Doubled, as append does not do for long ones.
	}
	f.items = append(f.items, item)
}

// at returns item i, counted from the first. It is valid until the next push.
func (f *fifo[T]) at(i int) *T { return &f.items[f.first+i] }

func (f *fifo[T]) peek() *T { return f.at(0) }

func (f *fifo[T]) pop() T {
	item := *f.peek()
	f.drop()
	return item
}

// drop removes the first item.
func (f *fifo[T]) drop() {
	f.first++
	switch {
	case f.first == len(f.items):
		f.items, f.first = f.items[:0], 0
	case f.first >= 1024 && f.first >= len(f.items)/2:
		f.items = f.items[:copy(f.items, f.items[f.first:])]
		f.first = 0
	}
}

func (f *fifo[T]) clear() { f.items, f.first = f.items[:0], 0 }

// deleteFunc removes the items that a function picks.
func (f *fifo[T]) deleteFunc(del func(T) bool) {
	f.items = slices.Delete(f.items, 0, f.first)
	f.first = 0
	f.items = slices.DeleteFunc(f.items, del)
}
