package sim

import (
	"bytes"
	"encoding/json"
	"math"
)

// Number is a float64 that JSON shows as null if it is NaN: not measured, or
// not defined in this scenario.
type Number float64

// MarshalJSON implements json.Marshaler.
func (n Number) MarshalJSON() ([]byte, error) {
	if math.IsNaN(float64(n)) {
		return []byte("null"), nil
	}
	return json.Marshal(float64(n))
}

// UnmarshalJSON implements json.Unmarshaler.
func (n *Number) UnmarshalJSON(b []byte) error {
	if bytes.Equal(b, []byte("null")) {
		*n = Number(math.NaN())
		return nil
	}
	return json.Unmarshal(b, (*float64)(n))
}

// Known tells whether the number is one.
func (n Number) Known() bool { return !math.IsNaN(float64(n)) }

// Result is what a controller made of a scenario. Shares and ratios are
// rounded to six digits after the point.
type Result struct {
	Scenario   string `json:"scenario"`
	Controller string `json:"controller"`
	Seed       uint64 `json:"seed"`

	// Logical successes over what the oracle could have served, in the whole
	// run and in the fault window. It may exceed 1 a little: retries carry
	// requests from a block without room to one with room.
	Goodput      Number `json:"goodput"`
	GoodputFault Number `json:"goodput_fault"`

	// Share of the logical requests of a class that arrived in the fault
	// window and succeeded, then or later. Null where the oracle could serve
	// nothing.
	VIP        Number `json:"vip"`
	Normal     Number `json:"normal"`
	Background Number `json:"background"`

	// Value is goodput with the weights 10, 3 and 1, over that of an oracle
	// which serves the best classes first.
	Value Number `json:"value"`

	// Inversions is the share of admitted attempts, in bins that rejected any,
	// which would have to change places with rejected ones of higher voltage.
	Inversions Number `json:"inversions"`

	// FalseShed is the share of attempts in the healthy intervals that the
	// controller rejected or the queue dropped.
	FalseShed Number `json:"false_shed"`

	// Seconds from the beginning of the fault until three seconds in a row
	// reach .8 of the oracle, and from its end until three reach .9, less two
	// standard deviations of so many Poisson arrivals. Never: all the time
	// there was.
	Protect Number `json:"protect_s"`
	Recover Number `json:"recover_s"`

	// Transitions of a switch that closes when more than 90 % of a second's
	// attempts are rejected and opens when less than 50 % are.
	Transitions int `json:"transitions"`

	// Lockout is the longest stretch of a healthy interval (s) of which every
	// second admitted less than 10 % of its attempts.
	Lockout Number `json:"lockout_s"`

	// Waste is the share of service time that went to attempts which failed or
	// whose clients had given up.
	Waste Number `json:"waste"`

	// Latency of everything admitted, in ms; a client that gave up counts with
	// its timeout.
	P50 Number `json:"p50_ms"`
	P99 Number `json:"p99_ms"`

	// FailingAdmits is the share of all attempts that were admitted and failed
	// in any way: what a dead backend is hammered with.
	FailingAdmits Number `json:"failing_admits"`
}

func (r *run) result(name string, seed uint64) Result {
	l := &r.ledger
	l.capacity = r.oracle()
	all := l.sum(0, r.sc.Duration)
	res := Result{
		Scenario:      r.sc.Name,
		Controller:    name,
		Seed:          seed,
		Goodput:       ratio(all.done, all.possible),
		Value:         ratio(all.achieved, all.ideal),
		Inversions:    ratio(float64(all.swaps), float64(all.selective)),
		Transitions:   l.transitions(),
		Waste:         ratio(l.wasted, l.busy),
		P50:           Number(l.quantile(.5)),
		P99:           Number(l.quantile(.99)),
		FailingAdmits: ratio(float64(l.ended[Fail]+l.ended[Timeout]+l.ended[Dropped]), float64(all.attempts)),
	}
	if all.selective == 0 {
		res.Inversions = 0 // nothing was rejected, so nothing was out of order
	}
	r.judgeHealth(&res)
	r.judgeFault(&res)
	if l.trace != nil {
		l.trace.close(l)
	}
	return res
}

func (r *run) judgeHealth(res *Result) {
	var attempts, shed int
	lockout := 0.0
	for _, in := range r.sc.Healthy {
		b := r.ledger.sum(in.From, in.To)
		attempts += b.attempts
		shed += b.rejected + b.dropped
		lockout = max(lockout, r.ledger.lockout(in))
	}
	res.FalseShed = ratio(float64(shed), float64(attempts))
	res.Lockout = rounded(lockout)
}

func (r *run) judgeFault(res *Result) {
	nan := Number(math.NaN())
	res.GoodputFault, res.VIP, res.Normal, res.Background = nan, nan, nan, nan
	res.Protect, res.Recover = nan, nan
	f, l := r.sc.Fault, &r.ledger
	if f.Empty() {
		return
	}
	if rest := (Interval{f.To, r.sc.Duration}); rest.Length() >= calm {
		res.Recover = rounded(l.reach(rest, .9))
	}
	b := l.sum(f.From, f.To)
	if b.possible == 0 {
		return
	}
	res.GoodputFault = ratio(b.done, b.possible)
	for class, n := range [...]*Number{&res.VIP, &res.Normal, &res.Background} {
		w := l.window[class]
		*n = ratio(float64(w.good), float64(w.offered))
	}
	if f.Length() >= calm {
		res.Protect = rounded(l.reach(f, .8))
	}
}

// calm is how many seconds in a row must be good before they count as reached.
const calm = 3

// reach returns how long after the beginning of an interval calm seconds in a
// row begin that reach the given share of the oracle, and the length of the
// interval if none do.
func (l *ledger) reach(in Interval, share float64) float64 {
	first, end := int(in.From*perSecond+.5), int(in.To*perSecond+.5)
	for i := first; i+calm*perSecond <= end; i++ {
		reached := true
		for k := 0; k < calm && reached; k++ {
			b := l.block(i+k*perSecond, i+(k+1)*perSecond)
			reached = b.done >= float64(share*b.possible)-float64(2*math.Sqrt(b.possible))
		}
		if reached {
			return float64(i-first) / perSecond
		}
	}
	return in.Length()
}

func (l *ledger) transitions() (n int) {
	shut := false
	for i := 0; i < len(l.bins); i += perSecond {
		b := l.block(i, i+perSecond)
		if b.attempts == 0 {
			continue
		}
		share := float64(b.rejected) / float64(b.attempts)
		if !shut && share > .9 || shut && share < .5 {
			shut = !shut
			n++
		}
	}
	return n
}

// lockout returns the longest stretch of an interval in which every second
// that was asked anything admitted less than a tenth of it. Seconds begin at
// every bin.
func (l *ledger) lockout(in Interval) float64 {
	first, end := int(in.From*perSecond+.5), int(in.To*perSecond+.5)
	longest, run := 0, 0
	for i := first; i+perSecond <= end; i++ {
		if b := l.block(i, i+perSecond); b.attempts > 0 && 10*b.admitted < b.attempts {
			run++
			longest = max(longest, run)
		} else {
			run = 0
		}
	}
	if longest == 0 {
		return 0
	}
	return float64(longest-1+perSecond) / perSecond
}

func ratio(a, b float64) Number {
	if b == 0 {
		return Number(math.NaN())
	}
	return rounded(a / b)
}

func rounded(x float64) Number { return Number(math.Round(x*1e6) / 1e6) }
