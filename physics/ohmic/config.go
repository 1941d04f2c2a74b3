package ohmic

import (
	"errors"
	"fmt"
	"time"
)

// Config holds the constants of the law. None of them is a threshold on load,
// latency or errors, so none needs to fit a service; start from
// [DefaultConfig].
type Config struct {
	// Floor is R_base, the least resistance in volts. Default 0, range [0,
	// 1e9]. Requests that bid no more than it never pass.
	Floor float64

	// Headroom is h: at (1+h) times the limit supply ends. Default 0.2, range
	// [0.05, 1]. Raising it admits more at the edge; from 0.25 on, processor
	// sharing backends collapse in one run of two hundred.
	Headroom float64

	// Reserve is eta: a band of voltages passes up to the hard cap if the demand
	// at or above it is no more than that share of what the callee completes at
	// its limit. Default 0.8, range [0, 1]; 0 leaves the slope of the supply alone
	// to keep seats for them. Raising it admits more at the edge.
	Reserve float64

	// BidMemory is tau_H, how long the voltages of arrivals are remembered.
	// Default 1 s, range [50 ms, 1 min].
	BidMemory time.Duration

	// RateMemory is tau_L, the memory of the arrival rate. Default 100 ms,
	// range [10 ms, 10 s]. SlowMemory is that of the rate it is compared with
	// to tell pressure from momentum; it decides nothing. Default 5 s, range
	// [RateMemory, 10 min].
	RateMemory, SlowMemory time.Duration

	// FailureMemory is tau_e. Default 1 s, range [50 ms, 1 min]. FailureCalls is
	// the most calls it holds: where there are more in tau_e, only so many of the
	// last count. Default 200, range [10, 1e9]. Raising it meets an outage of a
	// busy callee later and sends it fewer probes meanwhile. Tolerance is
	// K: shedding begins when more than 1-1/K of the calls fail. Default 2.5,
	// range [1, 100]. Evidence is the pad, in calls: so many failures count
	// for little. Default 5, range [1, 1000].
	FailureMemory       time.Duration
	FailureCalls        float64
	Tolerance, Evidence float64

	// Gamma is how much the fleet counts: the weight of what other nodes saw
	// fail. Default 1, range [0, 1]; 0: a node goes by its own calls alone.
	// PeerCalls is the most calls for which another node's evidence counts.
	// Default 20, range [0, 1e9]. Raising it warns nodes with little traffic
	// more, and lets one with a fault of its own do more harm to them.
	// WordMost is the most of the demand that is turned away because most nodes
	// say that the callee fails, whatever one's own calls say. Default 0.25,
	// range [0, 0.9].
	Gamma, PeerCalls, WordMost float64

	// DipDepth is theta, the share of the limit held while the unloaded
	// latency is measured. Default 0.6, range [0.1, 0.95]. Knee is K_T, the
	// latency aimed at as a multiple of the unloaded one. Default 1.35, range
	// [1, 3]. DipDepth*Knee must be below 1, or the baseline can creep up with
	// the load it is meant to measure.
	DipDepth, Knee float64

	// Congested is kappa: slow start ends when latency exceeds that multiple
	// of the baseline. Default 1.6, range [1.1, 10].
	Congested float64

	// StartLimit and LeastLimit bound the limit from below, in calls. Defaults
	// 8 and 4, range [1, 1e6], least no more than start.
	StartLimit, LeastLimit float64

	// DipEvery and DipAtMost bound the time between two dips. Defaults 1 s and
	// 10 s, range [100 ms, 10 min].
	DipEvery, DipAtMost time.Duration

	// Lanes are ranges of voltages with floors: what they are sure of while
	// higher bids take the rest. Default none, at most [MaxLanes]. The memory of
	// failure knows none: a callee that fails is closed to all but the highest.
	Lanes []Lane
}

// DefaultConfig returns the constants that docs/physics.md measures.
func DefaultConfig() Config {
	return Config{
		Headroom: 0.2, Reserve: 0.8, BidMemory: time.Second, RateMemory: 100 * time.Millisecond, SlowMemory: 5 * time.Second,
		FailureMemory: time.Second, FailureCalls: 200, Tolerance: 2.5, Evidence: 5,
		Gamma: 1, PeerCalls: 20, WordMost: 0.25,
		DipDepth: 0.6, Knee: 1.35, Congested: 1.6, StartLimit: 8, LeastLimit: 4,
		DipEvery: time.Second, DipAtMost: 10 * time.Second,
	}
}

// Validate returns nil, or one error that names every field outside its range.
func (c Config) Validate() error {
	var errs []error
	ranged := func(field string, v, low, high float64) {
		if !(v >= low && v <= high) { // NaN fails
			errs = append(errs, fmt.Errorf("ohmic: %s is %v, allowed %v to %v", field, v, low, high))
		}
	}
	span := func(field string, v, low, high time.Duration) {
		if v < low || v > high {
			errs = append(errs, fmt.Errorf("ohmic: %s is %v, allowed %v to %v", field, v, low, high))
		}
	}
	ranged("Floor", c.Floor, 0, 1e9)
	ranged("Headroom", c.Headroom, 0.05, 1)
	ranged("Reserve", c.Reserve, 0, 1)
	span("BidMemory", c.BidMemory, 50*time.Millisecond, time.Minute)
	span("RateMemory", c.RateMemory, 10*time.Millisecond, 10*time.Second)
	span("SlowMemory", c.SlowMemory, c.RateMemory, 10*time.Minute)
	span("FailureMemory", c.FailureMemory, 50*time.Millisecond, time.Minute)
	ranged("FailureCalls", c.FailureCalls, 10, 1e9)
	ranged("Tolerance", c.Tolerance, 1, 100)
	ranged("Evidence", c.Evidence, 1, 1000)
	ranged("Gamma", c.Gamma, 0, 1)
	ranged("PeerCalls", c.PeerCalls, 0, 1e9)
	ranged("WordMost", c.WordMost, 0, 0.9)
	ranged("DipDepth", c.DipDepth, 0.1, 0.95)
	ranged("Knee", c.Knee, 1, 3)
	if product := c.DipDepth * c.Knee; !(product < 1) {
		errs = append(errs, fmt.Errorf("ohmic: DipDepth*Knee is %v, must be below 1", product))
	}
	ranged("Congested", c.Congested, 1.1, 10)
	ranged("StartLimit", c.StartLimit, 1, 1e6)
	ranged("LeastLimit", c.LeastLimit, 1, c.StartLimit)
	span("DipEvery", c.DipEvery, 100*time.Millisecond, c.DipAtMost)
	span("DipAtMost", c.DipAtMost, c.DipEvery, 10*time.Minute)
	if _, err := newLanes(c.Lanes); err != nil {
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}
