package cluster_test

import (
	"bytes"
	"context"
	"fmt"
	"log"

	"github.com/flowtwin/flowtwin/benchmarks/bodies"
	"github.com/flowtwin/flowtwin/emu/cluster"
)

// A cluster without Docker, for functions of one's own. In a test, Cleanup and
// t.Fatal stand for what is done about errors here.
func ExampleRun() {
	ctx := context.Background()
	c, err := cluster.Run(ctx, cluster.WithBackend(cluster.Local), cluster.WithFunctions(cluster.Functions{
		"wordcount/merge": func(_ context.Context, c bodies.Call) error {
			books, err := c.Items("count.wordcount")
			if err != nil {
				return err
			}
			return c.Post("result", fmt.Appendf(nil, "the words of %d books", len(books)))
		},
	}))
	if err != nil {
		log.Fatal(err)
	}
	defer c.Terminate(ctx)
	result, err := c.Run(ctx, `
name: example
workflows: [faasflow/wordcount]
load: {clients: 1, limit: 1}
schedulers: [faasflow]
`)
	if err != nil {
		log.Fatal(err)
	}
	for _, i := range result.Points[0].Invocations {
		text, err := i.Output("merge.result")
		fmt.Println(string(text), err)
	}
	// Output: the words of 8 books <nil>
}

// Bodies get their inputs by the names in the workflow file.
func ExampleFunctions() {
	shout := func(_ context.Context, c bodies.Call) error {
		part, err := c.Input("cut.parts")
		if err != nil {
			return err
		}
		return c.Post("loud", bytes.ToUpper(part))
	}
	functions := cluster.Functions{"letters/shout": shout}
	// In TestMain, or main, before anything else:
	cluster.Main(cluster.WithFunctions(functions))
}
