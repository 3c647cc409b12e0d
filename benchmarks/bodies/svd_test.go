package bodies_test

import (
	"math"
	"slices"
	"testing"

	"gonum.org/v1/gonum/mat"

	"github.com/flowtwin/flowtwin/benchmarks/bodies"
)

// factors puts the blocks of a matrix together again and reads its factors.
func factors(t *testing.T, blocks [][]byte, result []byte) (a *mat.Dense, s []float64, vt *mat.Dense) {
	t.Helper()
	s, vt, err := bodies.ParseFactors(result)
	if err != nil {
		t.Fatal(err)
	}
	n := len(s)
	a = mat.NewDense(len(blocks)*n, n, nil)
	for i, data := range blocks {
		block, err := bodies.ParseBlock(data)
		if err != nil {
			t.Fatal(err)
		}
		a.Slice(i*n, (i+1)*n, 0, n).(*mat.Dense).Copy(block)
	}
	return a, s, vt
}

// U S Vᵀ is the matrix again, where U = A V S⁻¹ has orthogonal columns of
// length 1, and so has V.
func TestFactorsMultiplyBackToTheMatrix(t *testing.T) {
	all, _ := runAll(t, builtIn(t, "dataflower/svd", "size: 1048786", "size: 16400"))
	a, s, vt := factors(t, all["start.matrix"], all["merge.res"][0])
	rows, n := a.Dims()
	if rows != 16*64 || n != 64 {
		t.Fatalf("the matrix has %d rows and %d columns", rows, n)
	}
	var u, us, back, utu, vtv mat.Dense
	u.Mul(a, vt.T())
	for j, v := range s {
		if j > 0 && v > s[j-1] || v <= 0 {
			t.Errorf("singular value %d is %v after %v", j, v, s[max(j-1, 0)])
		}
		for i := range rows {
			u.Set(i, j, u.At(i, j)/v)
		}
	}
	us.Mul(&u, mat.NewDiagDense(n, s))
	back.Mul(&us, vt)
	utu.Mul(u.T(), &u)
	vtv.Mul(vt, vt.T())
	for what, pair := range map[string][2]mat.Matrix{
		"U S Vᵀ": {&back, a}, "UᵀU": {&utu, identity(n)}, "VᵀV": {&vtv, identity(n)},
	} {
		if d := distance(pair[0], pair[1]); d > 1e-9 {
			t.Errorf("%s is off by %g", what, d)
		}
	}
	// The decomposition of the whole, in one piece.
	var whole mat.SVD
	if !whole.Factorize(a, mat.SVDNone) {
		t.Fatal("it does not converge")
	}
	for j, v := range whole.Values(nil) {
		if math.Abs(s[j]-v) > 1e-9*whole.Cond()*v {
			t.Errorf("singular value %d is %v, want %v", j, s[j], v)
		}
	}
}

func identity(n int) mat.Matrix {
	one := mat.NewDiagDense(n, nil)
	for i := range n {
		one.SetDiag(i, 1)
	}
	return one
}

// distance is the largest difference relative to the largest number.
func distance(a, b mat.Matrix) float64 {
	var d mat.Dense
	d.Sub(a, b)
	return mat.Norm(&d, math.Inf(1)) / mat.Norm(b, math.Inf(1))
}

// At its full size a block has as many bytes as the workflow says.
func TestBlocksHaveTheStatedSize(t *testing.T) {
	w := builtIn(t, "dataflower/svd")
	start := &task{workflow: w, function: &w.Functions[w.Starts[0]], all: data{}}
	body, err := bodies.Shipped{}.Body(t.Context(), w, "start")
	if err != nil {
		t.Fatal(err)
	}
	if err := body(t.Context(), start); err != nil {
		t.Fatal(err)
	}
	for i, block := range start.all["start.matrix"] {
		if want := 8 + 4*512*512; len(block) != want {
			t.Errorf("block %d has %d bytes, want %d", i, len(block), want)
		}
	}
}

func FuzzBlocks(f *testing.F) {
	f.Add(bodies.Block(1, 3))
	f.Add([]byte{})
	f.Add([]byte{2, 0, 0, 0, 255, 255, 255, 255, 0, 0})
	f.Fuzz(func(t *testing.T, data []byte) {
		block, err := bodies.ParseBlock(data)
		if err != nil {
			return
		}
		if rows, columns := block.Dims(); rows < columns || 8+4*rows*columns != len(data) {
			t.Errorf("%d bytes are read as %d × %d", len(data), rows, columns)
		}
	})
}

func FuzzMatrices(f *testing.F) {
	small, err := mat.NewDense(3, 2, []float64{1, 2, 3, 4, 5, 6}).MarshalBinary()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(small)
	f.Add(small[:20])
	overflowing := slices.Clone(small)
	overflowing[15] = 0x30 // The product of rows and columns has more than 64 bits.
	f.Add(overflowing)
	f.Fuzz(func(t *testing.T, data []byte) {
		if s, vt, err := bodies.ParseFactors(data); err == nil {
			if rows, columns := vt.Dims(); rows != columns || len(s) != columns {
				t.Errorf("%d singular values, %d × %d vectors", len(s), rows, columns)
			}
		}
		m, err := bodies.ParseMatrix(data)
		if err != nil {
			return
		}
		again, err := m.MarshalBinary()
		if err != nil || string(again) != string(data) {
			t.Errorf("%d bytes become %d, %v", len(data), len(again), err)
		}
	})
}
