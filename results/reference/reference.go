// Package reference holds the numbers that the papers published, so that ours
// can be drawn and judged beside them.
//
// A paper is one CSV file in this folder, with the columns of repro.csv that
// concern publication: figure, series, system, workflow, x, metric, unit and
// published. README.md says where each number comes from and which statistic
// it is. What one knows about a row beyond its columns is in a second file: the
// rows of faasflow-not-run.csv were filled in by the authors' script without
// running anything.
package reference

import (
	"embed"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"slices"
	"strconv"
	"strings"
)

//go:embed *.csv
var files embed.FS

// Row is one published number.
type Row struct {
	// Key names what was measured.
	Key
	// Unit is the unit of Value: s, MB, core·s; 1 for a number of things.
	Unit string
	// Value is the published number, 0 if Timeout.
	Value float64
	// Timeout: the authors report that requests ran into their time-out.
	Timeout bool
	// NotRun: the authors wrote "timeout" without running this, because a lower
	// rate had timed out already. There is nothing to reproduce here.
	NotRun bool
}

// Key names a number: no two rows share one.
type Key struct {
	// Figure is the name of the figure or table, as in flowtwin repro.
	Figure string
	// Series is what the figure varies besides X, for example "50MB/s"; often
	// empty.
	Series string
	// System is the scheduler: mastersp, faasflow, dataflower.
	System string
	// Workflow is the name of the workflow, without the paper's prefix.
	Workflow string
	// X is where on the x axis: requests per minute, clients, functions in the
	// workflow, or an item of a foreach, counted from 1. It is 0 if the figure
	// has no such axis, or one of names.
	X float64
	// Metric names the quantity and its statistic, for example latency_max.
	Metric string
	// Function is the name in column x of a figure that has one bar for each
	// function of a workflow; empty for others.
	Function string
}

var (
	keyColumns = []string{"figure", "series", "system", "workflow", "x", "metric"}
	columns    = append(slices.Clone(keyColumns), "unit", "published")
)

// Published returns the numbers of a paper, in the order of its file. An error
// means that the paper is not known.
func Published(paper string) ([]Row, error) {
	file, err := files.Open(paper + ".csv")
	if err != nil {
		return nil, fmt.Errorf("no published numbers of %q; there are those of %s", paper, strings.Join(Papers(), ", "))
	}
	defer file.Close()
	rows, err := Read(file)
	if err != nil {
		return nil, fmt.Errorf("%s.csv: %w", paper, err)
	}
	notRun, err := files.Open(paper + notRunSuffix)
	if errors.Is(err, fs.ErrNotExist) {
		return rows, nil
	} else if err != nil {
		return nil, err
	}
	defer notRun.Close()
	if err := markNotRun(rows, notRun); err != nil {
		return nil, fmt.Errorf("%s%s: %w", paper, notRunSuffix, err)
	}
	return rows, nil
}

const notRunSuffix = "-not-run.csv"

// Papers returns the names of all papers that [Published] knows, sorted.
func Papers() []string {
	var papers []string
	entries, _ := files.ReadDir(".") // of an embedded folder: cannot fail
	for _, e := range entries {
		if name := e.Name(); !strings.HasSuffix(name, notRunSuffix) {
			papers = append(papers, strings.TrimSuffix(name, ".csv"))
		}
	}
	return papers
}

// Read reads published numbers from CSV with exactly the columns figure,
// series, system, workflow, x, metric, unit and published, in this order. The
// number in published may be the word timeout; x may be empty, or the name of
// a function, which begins with a small letter. Errors name the line.
func Read(r io.Reader) ([]Row, error) {
	var rows []Row
	seen := make(map[Key]int)
	err := readCSV(r, columns, func(line int, record []string) error {
		key, err := parseKey(record)
		if err != nil {
			return err
		}
		if first, ok := seen[key]; ok {
			return fmt.Errorf("the same number as in line %d", first)
		}
		seen[key] = line
		row := Row{Key: key, Unit: record[6]}
		if row.Unit == "" {
			return errors.New("the unit is missing")
		}
		if record[7] == "timeout" {
			row.Timeout = true
		} else if row.Value, err = parseNumber(record[7]); err != nil {
			return fmt.Errorf("published: %w, or the word timeout", err)
		}
		rows = append(rows, row)
		return nil
	})
	return rows, err
}

// markNotRun marks the rows whose keys the CSV lists. Each must be there, and
// be a timeout.
func markNotRun(rows []Row, r io.Reader) error {
	return readCSV(r, keyColumns, func(_ int, record []string) error {
		key, err := parseKey(record)
		if err != nil {
			return err
		}
		i := slices.IndexFunc(rows, func(row Row) bool { return row.Key == key })
		if i < 0 || !rows[i].Timeout {
			return fmt.Errorf("no published timeout for %v", record)
		}
		rows[i].NotRun = true
		return nil
	})
}

// readCSV calls take for each record below the header.
func readCSV(r io.Reader, header []string, take func(line int, record []string) error) error {
	reader := csv.NewReader(r)
	reader.FieldsPerRecord = len(header)
	for first := true; ; first = false {
		record, err := reader.Read()
		switch {
		case err == io.EOF && first:
			return fmt.Errorf("empty file: want a header line %s", strings.Join(header, ","))
		case err == io.EOF:
			return nil
		case err != nil:
			return err
		}
		line, _ := reader.FieldPos(0)
		if first {
			if !slices.Equal(record, header) {
				return fmt.Errorf("line %d: columns are %s; want %s", line, strings.Join(record, ","), strings.Join(header, ","))
			}
			continue
		}
		if err := take(line, record); err != nil {
			return fmt.Errorf("line %d: %w", line, err)
		}
	}
}

func parseKey(record []string) (Key, error) {
	key := Key{Figure: record[0], Series: record[1], System: record[2], Workflow: record[3], Metric: record[5]}
	for _, i := range []int{0, 2, 3, 5} {
		if record[i] == "" {
			return key, fmt.Errorf("%s is missing", keyColumns[i])
		}
	}
	if record[4] == "" {
		return key, nil
	}
	if isName(record[4]) {
		key.Function = record[4]
		return key, nil
	}
	x, err := parseNumber(record[4])
	if err == nil && x == 0 {
		err = errors.New("leave it empty where there is no x")
	}
	if err != nil {
		return key, fmt.Errorf("x: %w", err)
	}
	key.X = x
	return key, nil
}

// isName tells the name of a function from a number, right or wrong.
func isName(x string) bool {
	_, err := strconv.ParseFloat(x, 64)
	return err != nil && 'a' <= x[0] && x[0] <= 'z'
}

func parseNumber(text string) (float64, error) {
	x, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsNaN(x) || math.IsInf(x, 0) || x < 0 {
		return 0, fmt.Errorf("%q is not a number ≥ 0", text)
	}
	return x, nil
}
