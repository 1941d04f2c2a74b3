package windtunnel

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/atrion-io/atrion/internal/sim"
	"github.com/atrion-io/atrion/scenarios"
)

// What groups are called.
const (
	allArms    = "all"
	allPeers   = "peers"
	allCases   = "cases"
	allStories = "stories"
)

// ParseArms reads names of arms, with commas between them; all stands for
// every arm, peers for those of the peers' program. Empty: the usual ones.
// named tells whether a peer was asked for by a name of its own or the group's,
// so that it would be missed.
func ParseArms(list string) (arms []Entry, named bool, err error) {
	known := Entries()
	names := entryNames(known)
	wanted := usual
	if list != "" {
		wanted = strings.Split(list, ",")
	}
	for _, name := range wanted {
		var more []Entry
		switch name {
		case allArms:
			more = known
		case allPeers:
			named = true
			more = slices.DeleteFunc(slices.Clone(known), func(e Entry) bool { return !e.Peer })
		default:
			i := slices.Index(names, name)
			if i < 0 {
				return nil, false, fmt.Errorf("controller is %q (allowed: %s, or the groups %s and %s)",
					name, strings.Join(names, ", "), allArms, allPeers)
			}
			named = named || known[i].Peer
			more = known[i : i+1]
		}
		for _, e := range more {
			if !slices.ContainsFunc(arms, func(a Entry) bool { return a.Name == e.Name }) {
				arms = append(arms, e)
			}
		}
	}
	return arms, named, nil
}

// ParseScenarios reads names of scenarios, with commas between them; cases and
// stories stand for all of a kind. Empty: all.
func ParseScenarios(list string) ([]scenarios.Scenario, error) {
	known := Scenarios()
	if list == "" {
		return known, nil
	}
	var chosen []scenarios.Scenario
	for _, name := range strings.Split(list, ",") {
		found := false
		for _, s := range known {
			if s.Name() != name && (name != allCases || !isCase(s)) && (name != allStories || isCase(s)) {
				continue
			}
			found = true
			if !slices.ContainsFunc(chosen, func(c scenarios.Scenario) bool { return c.Name() == s.Name() }) {
				chosen = append(chosen, s)
			}
		}
		if !found {
			return nil, fmt.Errorf("scenario is %q (allowed: %s, or the groups %s and %s)",
				name, strings.Join(scenarioNames(known), ", "), allCases, allStories)
		}
	}
	return chosen, nil
}

func scenarioNames(all []scenarios.Scenario) []string {
	names := make([]string, len(all))
	for i, s := range all {
		names[i] = s.Name()
	}
	return names
}

// Range is the seeds from First to Last.
type Range struct{ First, Last uint64 }

func (r Range) String() string {
	if r.First == r.Last {
		return strconv.FormatUint(r.First, 10)
	}
	return fmt.Sprintf("%d-%d", r.First, r.Last)
}

func (r Range) len() int { return int(r.Last - r.First + 1) }

// maxSeeds bounds a plan: more say nothing that these do not.
const maxSeeds = 10_000

// ParseSeeds reads ranges such as 1-10 or 3, with commas between them.
func ParseSeeds(list string) ([]Range, error) {
	wrong := func() ([]Range, error) {
		return nil, fmt.Errorf("seeds is %q (allowed: A-B or A, several with commas, no seed twice, at most %d of them)", list, maxSeeds)
	}
	var ranges []Range
	total := uint64(0)
	for _, part := range strings.Split(list, ",") {
		from, to, isRange := strings.Cut(part, "-")
		if !isRange {
			to = from
		}
		first, err := strconv.ParseUint(from, 10, 32)
		if err != nil {
			return wrong()
		}
		last, err := strconv.ParseUint(to, 10, 32)
		if err != nil || last < first {
			return wrong()
		}
		for _, r := range ranges {
			if first <= r.Last && r.First <= last {
				return wrong()
			}
		}
		if total += last - first + 1; total > maxSeeds {
			return wrong()
		}
		ranges = append(ranges, Range{first, last})
	}
	return ranges, nil
}

var voltages = []struct {
	name  string
	scale sim.Voltages
}{
	{"standard", sim.Standard}, {"decades", sim.Decades}, {"small", sim.Small}, {"continuous", sim.Continuous},
}

// ParseVoltages reads the name of a scale of voltages.
func ParseVoltages(name string) (sim.Voltages, error) {
	var names []string
	for _, v := range voltages {
		if v.name == name {
			return v.scale, nil
		}
		names = append(names, v.name)
	}
	return sim.Voltages{}, fmt.Errorf("voltages is %q (allowed: %s)", name, strings.Join(names, ", "))
}

func voltagesName(scale sim.Voltages) string {
	for _, v := range voltages {
		if v.scale == scale {
			return v.name
		}
	}
	return "standard"
}
