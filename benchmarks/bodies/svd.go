package bodies

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"

	"gonum.org/v1/gonum/mat"
)

// svd decomposes a tall matrix that is given in square blocks of rows: each
// instance of compute brings its block A_i into the triangular form R_i (QR),
// and merge finds the singular values and vectors of all R_i stacked, which are
// those of the matrix. (Direct TSQR: Benson, Gleich and Demmel, 2013.) The left
// singular vectors of block i are A_i V S⁻¹, so they need not be sent.
func svd() kit {
	return kit{"svd", "", map[string]entry{
		"start": ready(func(_ context.Context, c Call) error {
			blocks := make([][]byte, c.Fan("matrix"))
			for i := range blocks {
				blocks[i] = Block(uint64(i), blockRows(c.Size("matrix", 0)))
			}
			return c.PostList("matrix", blocks)
		}, "matrix"),
		"compute": ready(func(_ context.Context, c Call) error {
			data, err := c.Input("start.matrix")
			if err != nil {
				return err
			}
			block, err := ParseBlock(data)
			if err != nil {
				return err
			}
			r, err := triangular(block)
			if err != nil {
				return err
			}
			return postMatrix(c, "res", r)
		}, "res"),
		"merge": ready(func(_ context.Context, c Call) error {
			all, err := c.Items("compute.res")
			if err != nil {
				return err
			}
			stack, err := stacked(all)
			if err != nil {
				return err
			}
			r, err := triangular(stack)
			if err != nil {
				return err
			}
			var d mat.SVD
			if !d.Factorize(r, mat.SVDThinV) {
				return errors.New("the singular value decomposition does not converge")
			}
			var v mat.Dense
			d.VTo(&v)
			_, n := r.Dims()
			factors := mat.NewDense(n+1, n, nil)
			factors.SetRow(0, d.Values(nil))
			factors.Slice(1, n+1, 0, n).(*mat.Dense).Copy(v.T())
			return postMatrix(c, "res", factors)
		}, "res"),
	}}
}

// blockHeader is the size of what a block begins with: its rows and columns.
const blockHeader = 8

// blockRows returns how many rows and columns a block of about so many bytes
// has.
func blockRows(bytes int64) int {
	return max(1, int(math.Sqrt(float64(max(bytes-blockHeader, 0)/4))))
}

// Block makes a square block of a matrix of small integers, always the same
// for an index: rows and columns as 32-bit numbers, then the values, row after
// row, all little endian.
func Block(index uint64, rows int) []byte {
	random := rand.New(rand.NewPCG(index, 2))
	data := make([]byte, 0, blockHeader+4*rows*rows)
	data = binary.LittleEndian.AppendUint32(data, uint32(rows))
	data = binary.LittleEndian.AppendUint32(data, uint32(rows))
	for range rows * rows {
		data = binary.LittleEndian.AppendUint32(data, uint32(random.Int32N(2001)-1000))
	}
	return data
}

// ParseBlock reads what Block makes, or another block of at least as many rows
// as columns.
func ParseBlock(data []byte) (*mat.Dense, error) {
	if len(data) < blockHeader {
		return nil, fmt.Errorf("%d bytes are no block of a matrix", len(data))
	}
	rows, columns := uint64(binary.LittleEndian.Uint32(data)), uint64(binary.LittleEndian.Uint32(data[4:]))
	values := data[blockHeader:]
	if columns == 0 || rows < columns || rows > uint64(len(values)) || rows*columns*4 != uint64(len(values)) {
		return nil, fmt.Errorf("%d bytes are no block of %d rows and %d columns", len(data), rows, columns)
	}
	block := mat.NewDense(int(rows), int(columns), nil)
	for i, to := 0, block.RawMatrix().Data; i < len(to); i++ {
		to[i] = float64(int32(binary.LittleEndian.Uint32(values[4*i:])))
	}
	return block, nil
}

// triangular returns R of the decomposition QR of a matrix, as a square one.
func triangular(a *mat.Dense) (*mat.Dense, error) {
	rows, columns := a.Dims()
	if rows < columns {
		return nil, fmt.Errorf("a matrix of %d rows and %d columns is not tall", rows, columns)
	}
	var qr mat.QR
	qr.Factorize(a)
	var r mat.Dense
	qr.RTo(&r)
	return mat.DenseCopyOf(r.Slice(0, columns, 0, columns)), nil
}

// stacked reads square matrices of one size and puts them below each other.
func stacked(all [][]byte) (*mat.Dense, error) {
	if len(all) == 0 {
		return nil, errors.New("there are no blocks to merge")
	}
	var stack *mat.Dense
	for i, data := range all {
		m, err := ParseMatrix(data)
		if err != nil {
			return nil, fmt.Errorf("the result of block %d: %w", i, err)
		}
		rows, columns := m.Dims()
		if stack == nil {
			stack = mat.NewDense(len(all)*columns, columns, nil)
		}
		if _, first := stack.Dims(); rows != columns || columns != first {
			return nil, fmt.Errorf("the result of block %d has %d rows and %d columns, that of block 0 has %d columns", i, rows, columns, first)
		}
		stack.Slice(i*rows, (i+1)*rows, 0, columns).(*mat.Dense).Copy(m)
	}
	return stack, nil
}

// ParseFactors reads what svd's merge posts: a matrix whose first row are the
// singular values, from the largest on, and the rows below the right singular
// vectors, a row each.
func ParseFactors(data []byte) (values []float64, vt *mat.Dense, err error) {
	m, err := ParseMatrix(data)
	if err != nil {
		return nil, nil, err
	}
	rows, columns := m.Dims()
	if rows != columns+1 {
		return nil, nil, fmt.Errorf("a matrix of %d rows and %d columns holds no singular values and vectors", rows, columns)
	}
	return mat.Row(nil, 0, m), m.Slice(1, rows, 0, columns).(*mat.Dense), nil
}

// ParseMatrix reads a matrix in gonum's binary format. All its numbers are
// finite.
func ParseMatrix(data []byte) (*mat.Dense, error) {
	// Where rows times columns overflows, gonum does not see that the header is
	// wrong.
	const rowsAt, columnsAt, headerEnd = 8, 16, 24
	if len(data) < headerEnd {
		return nil, fmt.Errorf("%d bytes are no matrix", len(data))
	}
	rows, columns := binary.LittleEndian.Uint64(data[rowsAt:]), binary.LittleEndian.Uint64(data[columnsAt:])
	if most := uint64(len(data)); rows > most || columns > most {
		return nil, fmt.Errorf("%d bytes are no matrix of %d rows and %d columns", len(data), rows, columns)
	}
	var m mat.Dense
	if err := m.UnmarshalBinary(data); err != nil {
		return nil, fmt.Errorf("%d bytes are no matrix: %w", len(data), err)
	}
	for _, v := range m.RawMatrix().Data {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return nil, fmt.Errorf("a matrix holds %v", v)
		}
	}
	return &m, nil
}

func postMatrix(c Call, output string, m *mat.Dense) error {
	data, err := m.MarshalBinary()
	if err != nil {
		return err
	}
	return c.Post(output, data)
}
