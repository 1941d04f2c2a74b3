package atrion

// AcquireOption changes one Acquire, Do or Decide. Options are Voltage, Tier,
// Lane, Retry, Subject and Bypass.
type AcquireOption interface{ acquireOption() }

// Voltage is what a request bids, in volts: above 0, at most 1e9. Only ratios
// between the requests of a route matter to a closed-loop law; to the classic
// law volts compare with ohms.
type Voltage float64

func (Voltage) acquireOption() {}

// Retry marks a request as its n-th try after the first. Each makes it bid a
// fifth less, up to ten: when there is not enough for all, those who have not
// had a try yet go first, and a storm of retries sheds itself. Three retries
// stay above the next lower tier. A retry that is rejected should not be retried
// before RejectedError's RetryAfter.
type Retry int

func (Retry) acquireOption() {}

// Subject says who asks: a user, a tenant, an address. It is what bans and
// quotas go by; "" is nobody in particular.
type Subject string

func (Subject) acquireOption() {}

// Bypass true lets a request through whatever the law says: a job that must run,
// a probe. It is counted, it counts as demand and as a call in flight, and its
// outcome is learned from. A ban still holds.
type Bypass bool

func (Bypass) acquireOption() {}

// retryBid is what the n-th retry bids, as a share of the first try.
func retryBid(n Retry) float64 {
	share := 1.0
	for range min(n, 10) {
		share *= 0.8
	}
	return share
}

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

// bid is what a request's options come to.
type bid struct {
	voltage float64
	subject Subject
	bypass  bool
	capped  bool // it asked for more than its quota allows
}

// bid is wants within the identity's quota, of which it takes.
func (e *Engine) bid(voltage float64, options []AcquireOption) (bid, error) {
	b, err := e.wants(voltage, options)
	if err == nil {
		b.voltage, b.capped = e.quota.cap(b.voltage, b.subject)
	}
	return b, err
}

// wants returns what the options ask for, the last one winning; voltage is what
// they bid if they do not say.
func (e *Engine) wants(voltage float64, options []AcquireOption) (b bid, err error) {
	b.voltage = voltage
	share := 1.0
	// A type switch rather than a method call: a call through the interface
	// would make every caller's options escape to the heap.
	for _, o := range options {
		switch o := o.(type) {
		case Voltage:
			b.voltage = float64(o)
		case Tier:
			b.voltage = e.tierVoltage(o)
		case Lane:
			if b.voltage, err = e.LaneVoltage(o); err != nil {
				return bid{}, err
			}
		case Retry:
			share = retryBid(o)
		case Subject:
			b.subject = o
		case Bypass:
			b.bypass = bool(o)
		}
	}
	if !validVoltage(b.voltage) {
		return bid{}, invalid("Voltage", b.voltage, allowedVoltage)
	}
	b.voltage *= share
	return b, nil
}
