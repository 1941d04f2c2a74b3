package atrion

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/atrion-io/atrion/internal/text"
	"github.com/atrion-io/atrion/physics/ohmic"
)

// Lane is a tier by its name: one of Config.Tiers, or of the tiers that every
// engine has ("critical", "high", "normal", "low", "bulk"). A name the engine does
// not know is an error that lists those it does.
type Lane string

func (Lane) acquireOption() {}

// Limits of the tiers of one's own.
const (
	MaxTiers    = 32
	MaxTierName = 32 // bytes
)

// SetTiers replaces the engine's own tiers, names to volts, at once and for
// every request that comes after; one that every engine has may bid something else. The error, a *FieldError, says what is wrong;
// then nothing has changed. Floors stay with the voltages they were configured
// for.
func (e *Engine) SetTiers(tiers map[string]float64) error {
	if err := checkTiers(tiers); err != nil {
		return err
	}
	e.setTiers(tiers)
	return nil
}

// tierTable is what tiers bid, in volts: by name, and those that every engine has
// by number, for callers who name them so.
type tierTable struct {
	all   map[string]float64
	known [len(tiers)]float64
}

func (e *Engine) setTiers(own map[string]float64) {
	t := tierTable{all: everyTier(own)}
	for i := range tiers {
		t.known[i] = t.all[tiers[i].name]
	}
	e.tiers.Store(&t)
}

// tierVoltage is what a request of the tier bids now; 0: there is no such tier.
func (e *Engine) tierVoltage(t Tier) float64 {
	if known := &e.tiers.Load().known; int(t) < len(known) {
		return known[t]
	}
	return 0
}

// Tiers returns every tier of the engine, names to volts.
func (e *Engine) Tiers() map[string]float64 { return maps.Clone(e.tiers.Load().all) }

// LaneVoltage is what requests of the tier of that name bid, in volts.
func (e *Engine) LaneVoltage(name Lane) (float64, error) {
	all := e.tiers.Load().all
	v, ok := all[string(name)]
	if !ok {
		return 0, invalid("tier", fmt.Sprintf("%q", name), names(all))
	}
	return v, nil
}

func checkTiers(tiers map[string]float64) error {
	if len(tiers) > MaxTiers {
		return &FieldError{Field: "Tiers", Value: fmt.Sprint(len(tiers), " tiers"), Allowed: "0 to 32"}
	}
	for _, name := range slices.Sorted(maps.Keys(tiers)) {
		if len(name) == 0 || len(name) > MaxTierName || !text.Visible(name) {
			return &FieldError{Field: "Tiers", Value: fmt.Sprintf("%q", name), Allowed: "1 to 32 visible ASCII characters"}
		}
		if v := tiers[name]; !validVoltage(v) {
			return &FieldError{Field: fmt.Sprintf("Tiers[%q]", name), Value: fmt.Sprint(v), Allowed: allowedVoltage}
		}
	}
	return nil
}

// checkFloors checks what FloorLanes and the law take for granted.
func (c *Config) checkFloors() error {
	all, sum := everyTier(c.Tiers), 0.0
	for _, name := range slices.Sorted(maps.Keys(c.Floors)) {
		floor, field := c.Floors[name], fmt.Sprintf("Floors[%q]", name)
		sum += floor
		switch _, ok := all[name]; {
		case !ok:
			return &FieldError{Field: field, Value: "of no tier", Allowed: names(all)}
		case !(floor > 0 && sum <= 0.9+1e-9):
			return &FieldError{Field: field, Value: fmt.Sprint(floor), Allowed: "above 0, and 0.9 at most all together"}
		case c.Law != nil:
			return &FieldError{Field: field, Value: fmt.Sprint(floor), Allowed: "none beside Law: ohmic.Config.Lanes has them"}
		}
	}
	constants := ohmic.DefaultConfig()
	constants.Lanes = c.FloorLanes()
	if err := constants.Validate(); err != nil {
		return fmt.Errorf("lanes of Floors: %w", err)
	}
	return nil
}

// FloorLanes are the lanes of the law ohmic in which tiers with a floor keep it: what bids more
// than the next lower tier and no more than the tier does; of the highest tier,
// whatever bids more.
func (c *Config) FloorLanes() (lanes []ohmic.Lane) {
	all := everyTier(c.Tiers)
	for _, name := range slices.Sorted(maps.Keys(c.Floors)) {
		lane := ohmic.Lane{UpTo: MaxVoltage, Floor: c.Floors[name]}
		for _, other := range all {
			switch v := all[name]; {
			case other < v:
				lane.Above = max(lane.Above, other)
			case other > v:
				lane.UpTo = v
			}
		}
		lanes = append(lanes, lane)
	}
	return lanes
}

// everyTier is those and the ones that every engine has.
func everyTier(own map[string]float64) map[string]float64 {
	all := make(map[string]float64, len(tiers)+len(own))
	for _, t := range tiers[1:] {
		all[t.name] = t.voltage
	}
	maps.Copy(all, own)
	return all
}

// names are those of tiers, highest first.
func names(tiers map[string]float64) string {
	all := slices.SortedFunc(maps.Keys(tiers), func(a, b string) int {
		return cmp.Or(cmp.Compare(tiers[b], tiers[a]), cmp.Compare(a, b))
	})
	return strings.Join(all, ", ")
}
