package bus

// Mode is how an embedded server runs. Streams made by a standalone server are
// orphans to a clustered one, which deletes them after half a minute: a store
// directory belongs to one mode for good.
type Mode string

// The modes of an embedded server.
const (
	Standalone Mode = "standalone" // alone; what EmbeddedConfig says by default
	Clustered  Mode = "cluster"    // a member of a cluster of such servers
	Leaf       Mode = "leaf"       // a leaf of a NATS system, with its own JetStream
)
