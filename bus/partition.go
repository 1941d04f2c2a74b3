package bus

import (
	"fmt"
	"strings"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/atrion-io/atrion/internal/member"
)

// PartitionPrefix is where the subjects of partitioned routes go: "atrion.p.", the
// partition, and what followed "atrion.".
const PartitionPrefix = "atrion.p"

// byTokens is how many tokens of a route's name decide on its partition. NATS
// hashes only tokens that have a wildcard each, so longer names go by their
// first ones.
const byTokens = 3

// Mappings are what maps telemetry and decisions of a route to its partition, in
// the syntax of nats-server's "mappings": from a subject to another. An embedded
// server has them with EmbeddedConfig.Affinity; any other server of the system
// that takes messages of clients must be told them.
func Mappings() map[string]string {
	m := map[string]string{}
	for _, kind := range []string{"telemetry", "route"} {
		from := "atrion." + kind
		to, tokens := kind, ""
		for n := 1; n <= byTokens; n++ {
			from += ".*"
			to += fmt.Sprintf(".{{wildcard(%d)}}", n)
			tokens += fmt.Sprintf(",%d", n)
			m[from] = fmt.Sprintf("%s.{{partition(%d%s)}}.%s", PartitionPrefix, member.Partitions, tokens, to)
		}
		m[from+".>"] = fmt.Sprintf("%s.{{partition(%d%s)}}.%s.>", PartitionPrefix, member.Partitions, tokens, to)
	}
	return m
}

func mapPartitions(acc *server.Account) error {
	for from, to := range Mappings() {
		if err := acc.AddMapping(from, to); err != nil {
			return fmt.Errorf("bus: map %s to %s: %w", from, to, err)
		}
	}
	return nil
}

// unmapped is the subject that was published to, of one within a partition.
func unmapped(subject string) string {
	rest := strings.TrimPrefix(subject, PartitionPrefix+".")
	if _, kind, ok := strings.Cut(rest, "."); ok && len(rest) < len(subject) {
		return "atrion." + kind
	}
	return subject
}
