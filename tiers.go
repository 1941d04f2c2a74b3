package atrion

import (
	"fmt"
	"maps"

	"github.com/atrion-io/atrion/internal/text"
)

// MaxTiers is the most names that SetTiers takes.
const MaxTiers = 32

// SetTiers replaces what requests of a tier bid, in volts; tiers that are not
// named bid what they always did.
func (e *Engine) SetTiers(volts map[string]float64) error {
	if len(volts) > MaxTiers {
		return ruleField("Tiers", fmt.Sprint(len(volts), " tiers"), fmt.Sprintf("at most %d", MaxTiers))
	}
	for name, v := range volts {
		switch {
		case name == "" || len(name) > 32 || !text.Visible(name):
			return ruleField("Tiers", fmt.Sprintf("%.48q", name), "names of 1 to 32 visible ASCII characters")
		case !validVoltage(v):
			return ruleField("Tiers."+name, fmt.Sprint(v), allowedVoltage)
		}
	}
	own := maps.Clone(volts)
	e.tiers.Store(&own)
	return nil
}

// tierVoltage is what a request of the tier bids now.
func (e *Engine) tierVoltage(t Tier) float64 {
	if own := e.tiers.Load(); own != nil {
		if v, ok := (*own)[t.String()]; ok {
			return v
		}
	}
	return t.Voltage()
}
