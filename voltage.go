package atrion

// AcquireOption changes one Acquire or Do. Options are Voltage and Tier.
type AcquireOption interface{ acquireOption() }

// Voltage is what a request bids, in volts: above 0, at most 1e9. Only ratios
// between the requests of a route matter to a closed-loop law; to the classic
// law volts compare with ohms.
type Voltage float64

func (Voltage) acquireOption() {}

// Tier is a named voltage, for callers who think in classes.
type Tier uint8

// Tiers, most important first. Every tier passes on a healthy route.
const (
	Critical Tier = iota + 1 // 400 volts: shed last
	High                     // 200 volts
	Normal                   // 100 volts: what a request without a bid gets
	Low                      // 50 volts
	Bulk                     // 25 volts: shed first
)

var tiers = [...]struct {
	name    string
	voltage float64
}{{}, {"critical", 400}, {"high", 200}, {"normal", 100}, {"low", 50}, {"bulk", 25}}

func (Tier) acquireOption() {}

// Voltage returns what requests of the tier bid, or 0 if there is no such tier.
func (t Tier) Voltage() float64 {
	if int(t) < len(tiers) {
		return tiers[t].voltage
	}
	return 0
}

// String returns the tier's name.
func (t Tier) String() string {
	if t > 0 && int(t) < len(tiers) {
		return tiers[t].name
	}
	return "unknown"
}

// ParseTier is the inverse of String; ok is false for any other text.
func ParseTier(name string) (t Tier, ok bool) {
	for i, tier := range tiers {
		if i > 0 && tier.name == name {
			return Tier(i), true
		}
	}
	return 0, false
}

// bid returns the voltage the options ask for, the last one winning.
func (e *Engine) bid(options []AcquireOption) (float64, error) {
	v := e.cfg.Voltage
	// A type switch rather than a method call: a call through the interface
	// would make every caller's options escape to the heap.
	for _, o := range options {
		switch o := o.(type) {
		case Voltage:
			v = float64(o)
		case Tier:
			v = o.Voltage()
		}
	}
	if !validVoltage(v) {
		return 0, invalid("Voltage", v, allowedVoltage)
	}
	return v, nil
}
