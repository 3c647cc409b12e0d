package sweep

import "strconv"

// The labels of everything that belongs to a cluster.
const (
	LabelFlowtwin = "org.flowtwin"         // true
	LabelCluster  = "org.flowtwin.cluster" // the cluster's identifier
	LabelOwner    = "org.flowtwin.owner"   // the process that made it
	LabelNode     = "org.flowtwin.node"    // the node's number, if it is of one
)

// Labels are those of a thing of this process's, in a cluster, and of a node
// unless that is negative.
func Labels(cluster string, node int) (map[string]string, error) {
	owner, err := Self()
	if err != nil {
		return nil, err
	}
	labels := map[string]string{LabelFlowtwin: "true", LabelCluster: cluster, LabelOwner: owner.String()}
	if node >= 0 {
		labels[LabelNode] = strconv.Itoa(node)
	}
	return labels, nil
}
