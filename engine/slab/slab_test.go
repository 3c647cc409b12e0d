package slab

import "testing"

func TestNumbersAreUsedAgainAndValuesStayWhereTheyAre(t *testing.T) {
	var s Slab[int]
	const n = 3 * chunk
	pointers := make([]*int, n)
	for i := range uint32(n) {
		if got := s.Take(); got != i {
			t.Fatalf("number %d, want %d", got, i)
		}
		pointers[i] = s.At(i)
		*pointers[i] = int(i)
	}
	for i := range uint32(n) {
		if s.At(i) != pointers[i] || *s.At(i) != int(i) {
			t.Fatalf("the value of %d has moved or changed", i)
		}
	}
	s.Give(7)
	s.Give(300)
	if s.Taken() != n-2 || s.Used() != n {
		t.Errorf("%d of %d numbers are taken", s.Taken(), s.Used())
	}
	if a, b := s.Take(), s.Take(); a != 300 || b != 7 || *s.At(a) != 300 {
		t.Errorf("numbers %d and %d come back, the first with value %d", a, b, *s.At(a))
	}
}

func TestSteadyUseAllocatesNothing(t *testing.T) {
	var s Slab[[100]byte]
	s.Give(s.Take())
	if allocs := testing.AllocsPerRun(100, func() { s.Give(s.Take()) }); allocs != 0 {
		t.Errorf("%v allocations", allocs)
	}
}
