package benchmarks

import (
	"bytes"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/flowtwin/flowtwin/engine/workflow"
	"github.com/flowtwin/flowtwin/scenarios/workflowfile"
)

// Family is a number of built-in workflows that are one workflow with one
// quantity varied, as a paper's experiment varies it.
type Family struct {
	// Name is what the names of its workflows begin with; a dash and the value
	// follow.
	Name string
	// About says what is varied.
	About string
	// Values of the quantity.
	Values []float64

	make func(value float64) (*workflow.Workflow, error)
}

// Families returns the families that Lookup knows.
//
// All of them are variants of dataflower/wordcount: those of DataFlower's
// experiments on scalability (fan-out and size of the data) and sensitivity
// (cores of a container).
func Families() []Family {
	return []Family{
		{"dataflower/wordcount-fanout", "a text of 4.1 MB, counted in N equal parts", []float64{2, 4, 8, 12, 16}, wordcountFanout},
		{"dataflower/wordcount-datasize", "four texts of 1.04 MB in all, N times as long", []float64{1, 2, 4, 8, 16}, wordcountDatasize},
		{"dataflower/wordcount-cores", "dataflower/wordcount in containers of N cores", []float64{0.1, 0.2, 0.3, 0.4, 0.5}, wordcountCores},
	}
}

// Workflows returns the names of the workflows of the family.
func (f Family) Workflows() []string {
	names := make([]string, len(f.Values))
	for i, v := range f.Values {
		names[i] = f.Name + "-" + number(v)
	}
	return names
}

// Pattern stands for all names of the family, such as
// "dataflower/wordcount-fanout-{2,4,8,12,16}".
func (f Family) Pattern() string {
	values := make([]string, len(f.Values))
	for i, v := range f.Values {
		values[i] = number(v)
	}
	return f.Name + "-{" + strings.Join(values, ",") + "}"
}

func number(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }

// lookupVariant returns the workflow of a name if it is of a family.
func lookupVariant(name string) (w *workflow.Workflow, of Family, err error) {
	for _, f := range Families() {
		if at := slices.Index(f.Workflows(), name); at >= 0 {
			w, err = f.make(f.Values[at])
			return w, f, err
		}
	}
	return nil, Family{}, nil
}

// variantSource writes a workflow of a family as a file.
func variantSource(name string) ([]byte, error) {
	w, family, err := lookupVariant(name)
	if w == nil || err != nil {
		return nil, err
	}
	var text bytes.Buffer
	err = workflowfile.Write(&text, w, workflowfile.Options{
		Comment: "WordCount, varied: " + family.About + ".\n\n" +
			"Made of dataflower/wordcount and of the texts in the artefact of DataFlower (ASPLOS'24;\n" +
			"FaaSFlow's tag v2.0), whose sizes are exact in sum; see flowtwin's benchmarks/variants.go.",
		Description: "counts the words of texts and merges the counts",
	})
	return text.Bytes(), err
}

// book is a text to count and what becomes of it, in bytes as JSON.
type book struct{ text, counts float64 }

// wordcountFanout cuts a text of 4 132 780 bytes into n equal parts. Parts
// share words, so their counts grow with n; the artefact's texts have them as
// below. Each part's JSON has two quotes of its own.
func wordcountFanout(parts float64) (*workflow.Workflow, error) {
	n := int(parts)
	counts := map[int]int{2: 445731, 4: 652719, 8: 906400, 12: 1101200, 16: 1224666}[n]
	books := make([]book, n)
	for i := range books {
		books[i] = book{float64(share(4235348+2*n, n, i)), float64(share(counts, n, i))}
	}
	return wordcountOf(fmt.Sprintf("wordcount-fanout-%d", n), books)
}

// wordcountDatasize repeats four texts n times. Their JSON then has n times
// the characters between the quotes and n-1 line ends; their counts become
// longer by digits, in sum as below. Of the texts for 16 the artefact has only
// the first and the third, whose counts make up the factor.
func wordcountDatasize(times float64) (*workflow.Workflow, error) {
	once := []book{{142404, 47679}, {352667, 97375}, {141702, 44669}, {424956, 119118}}
	counts := map[float64]float64{1: 308841, 2: 311485, 4: 315007, 8: 319627, 16: math.Round(308841 * 99458.0 / 92348)}[times]
	books := make([]book, len(once))
	before := 0.0
	for i, b := range once {
		upTo := before + b.counts
		books[i] = book{times*(b.text-1) + 1, math.Round(upTo*counts/308841) - math.Round(before*counts/308841)}
		before = upTo
	}
	return wordcountOf("wordcount-datasize-"+number(times), books)
}

// wordcountCores gives all three functions containers of another size, in
// which the same work takes a time in inverse proportion.
func wordcountCores(cores float64) (*workflow.Workflow, error) {
	base, err := readWordcount()
	if err != nil {
		return nil, err
	}
	factor := base.cores / cores
	return base.build("wordcount-cores-"+number(cores), cores, base.books,
		scaled(base.start, factor), scaled(base.count, factor), scaled(base.merge, factor))
}

// wordcountOf counts other books. Each function has the work per byte that it
// has in the base workflow; that of count varies by the same factors, taken
// over all books.
func wordcountOf(name string, books []book) (*workflow.Workflow, error) {
	base, err := readWordcount()
	if err != nil {
		return nil, err
	}
	was, is := sum(base.books), sum(books)
	perByte := base.count.Total(float64(len(base.books))) / was.text
	spread := factors(base.count)
	items := make([]workflow.Distribution, len(books))
	for i, b := range books {
		items[i] = scaled(spread, perByte*b.text)
	}
	return base.build(name, base.cores, books,
		scaled(base.start, is.text/was.text), workflow.EachItem(items...), scaled(base.merge, is.counts/was.counts))
}

func sum(books []book) (total book) {
	for _, b := range books {
		total.text += b.text
		total.counts += b.counts
	}
	return total
}

// wordcount is what the variants take from dataflower/wordcount.
type wordcount struct {
	start, count, merge workflow.Distribution // compute times
	cores               float64
	books               []book
	result              workflow.Distribution // size
}

func readWordcount() (*wordcount, error) {
	w, err := Lookup("dataflower/wordcount")
	if err != nil {
		return nil, err
	}
	start, count, merge := &w.Functions[0], &w.Functions[1], &w.Functions[2]
	base := &wordcount{
		start: start.Compute, count: count.Compute, merge: merge.Compute,
		cores: count.CPU, result: merge.Outputs[0].Size,
	}
	for i := range start.Outputs[0].Size.Values {
		base.books = append(base.books, book{start.Outputs[0].Size.Values[i], count.Outputs[0].Size.Values[i]})
	}
	return base, nil
}

func (base *wordcount) build(name string, cores float64, books []book, start, count, merge workflow.Distribution) (*workflow.Workflow, error) {
	texts, counts := make([]float64, len(books)), make([]float64, len(books))
	for i, b := range books {
		texts[i], counts[i] = b.text, b.counts
	}
	function := func(name string, compute workflow.Distribution, output workflow.Output) workflow.Function {
		output.PostedAt = 1
		return workflow.Function{
			Name: name, Compute: compute, CPU: cores, Outputs: []workflow.Output{output},
			Memory: int64(math.Round(cores*1280)) << 20, // the artefact charges 128 MiB for 0.1 core
		}
	}
	f := []workflow.Function{
		function("start", start, workflow.Output{
			Name: "file", List: true, Items: workflow.Constant(float64(len(books))), Size: workflow.ByItem(texts...),
		}),
		function("count", count, workflow.Output{Name: "res", Size: workflow.ByItem(counts...)}),
		function("merge", merge, workflow.Output{Name: "res", Size: base.result}),
	}
	f[1].Foreach, f[1].Inputs = &workflow.OutputRef{}, []workflow.Input{{}}
	f[2].Merge, f[2].Inputs = true, []workflow.Input{{From: 1}}
	return workflow.New(name, f)
}

// scaled multiplies a time, and rounds it to nanoseconds.
func scaled(d workflow.Distribution, by float64) workflow.Distribution {
	d.A, d.B = math.Round(d.A*by), math.Round(d.B*by)
	d.Values = slices.Clone(d.Values)
	for i := range d.Values {
		d.Values[i] = math.Round(d.Values[i] * by)
	}
	d.Items = slices.Clone(d.Items)
	for i := range d.Items {
		d.Items[i] = scaled(d.Items[i], by)
	}
	return d
}

// factors returns by what factor a time varies around the mean of its item,
// over all items: ten values, each as likely, whose mean is 1.
func factors(of workflow.Distribution) workflow.Distribution {
	const n = 10
	var all []float64
	for _, item := range of.Items {
		for _, v := range item.Values {
			all = append(all, v/item.Mean())
		}
	}
	slices.Sort(all)
	values := make([]float64, n)
	for i := range values {
		group := all[i*len(all)/n : (i+1)*len(all)/n]
		for _, v := range group {
			values[i] += v / float64(len(group))
		}
	}
	return workflow.Distribution{Shape: workflow.ShapeEmpirical, Values: values}
}
