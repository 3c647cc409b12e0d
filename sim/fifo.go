package sim

// fifo is a queue that keeps its storage.
type fifo[T any] struct {
	items []T
	first int
}

func (f *fifo[T]) len() int { return len(f.items) - f.first }

func (f *fifo[T]) push(item T) { f.items = append(f.items, item) }

func (f *fifo[T]) pop() T {
	item := f.items[f.first]
	f.first++
	switch {
	case f.first == len(f.items):
		f.items, f.first = f.items[:0], 0
	case f.first >= 1024 && f.first >= len(f.items)/2:
		f.items = f.items[:copy(f.items, f.items[f.first:])]
		f.first = 0
	}
	return item
}

func (f *fifo[T]) clear() { f.items, f.first = f.items[:0], 0 }
