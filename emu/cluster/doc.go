// Package cluster is flowtwin as a library for tests: it brings up a cluster,
// runs scenarios and functions of one's own on it, and removes it with the
// test, in the manner of a testcontainers module.
//
//	func TestMain(m *testing.M) {
//		cluster.Main(cluster.WithFunctions(functions)) // a container of a cluster stays in here
//		os.Exit(m.Run())
//	}
//
//	func TestShout(t *testing.T) {
//		cluster.SkipIfNoDocker(t)
//		c, err := cluster.Run(t.Context(), cluster.WithFunctions(functions), cluster.WithWorkers(2))
//		cluster.Cleanup(t, c)
//		if err != nil {
//			t.Fatal(err)
//		}
//		result, err := c.Run(t.Context(), "scenario.yaml")
//		...
//	}
//
// The nodes and the function containers of the cluster run the program that
// calls Run: that is how they come by its functions and schedulers. So its main
// function, or TestMain, has to call Main before it does anything else.
package cluster
