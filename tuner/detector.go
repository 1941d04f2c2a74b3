package tuner

import (
	"math"
	"time"
)

// Alarm is the side on which a series has left its limits.
type Alarm int8

const (
	Calm Alarm = iota // within its limits, or not yet known
	High              // above
	Low               // below; only where TwoSided is set
)

func (a Alarm) String() string {
	switch a {
	case Calm:
		return "calm"
	case High:
		return "high"
	case Low:
		return "low"
	}
	return "unknown"
}

// Event is what one observation changed.
type Event int8

const (
	None     Event = iota
	Raised         // left its limits: a new incident, worth telling someone
	Relapsed       // left its limits again before Quiet had passed: the same incident
	Cleared        // back within its limits
	Accepted       // stayed outside for Accept: what is new is now called normal
)

func (e Event) String() string {
	switch e {
	case None:
		return "none"
	case Raised:
		return "raised"
	case Relapsed:
		return "relapsed"
	case Cleared:
		return "cleared"
	case Accepted:
		return "accepted"
	}
	return "unknown"
}

// Detector is what was learned about one series. The zero value has learned
// nothing and is ready for use. It is a plain value of twelve words: copy it
// freely; not safe for concurrent use while Observe runs.
type Detector struct {
	normal track // what is normal; frozen while alarmed
	recent track // what is learned beside it since the alarm began

	last  int64 // ns, time of the newest observation
	age   int64 // ns counted so far, stops at Warmup
	since int64 // ns counted since the alarm began or ended
	alarm Alarm
	begun bool // something was observed
}

// track is a smoothed series and the mean and variance of it.
type track struct {
	level    float64 // the smoothed series
	mean     float64
	variance float64
	weight   float64 // seconds remembered
}

// maxValue bounds what is observed, so that no square overflows.
const maxValue = 1e100

// Observe takes the value seen at time now, in nanoseconds on any clock that
// runs forward, and says what it changed.
//
// Not observed at all are: NaN and infinities; a second value of one instant;
// a value that is older than the newest (the clock is set back to it, so that
// one wrong time does not stop the detector until it has come). Values beyond
// 1e100 count as 1e100.
func (c *DetectorConfig) Observe(d *Detector, now int64, value float64) Event {
	if math.IsNaN(value) || math.IsInf(value, 0) {
		return None
	}
	value = clamp(value, maxValue)
	if !d.begun {
		d.begun, d.last, d.since = true, now, math.MaxInt64/2 // calm for ever
		d.normal = track{level: value, mean: value}
		return None
	}
	before := d.last
	d.last = now
	if now <= before {
		return None
	}
	step := now - before
	if step < 0 || step > int64(c.MaxStep) { // < 0: the difference overflowed
		step = int64(c.MaxStep)
	}
	d.age = min(d.age+step, int64(c.Warmup))
	d.since = min(d.since+step, math.MaxInt64/2)

	// Clipped at Clip sigma: however far out one value is, it takes several
	// (or, in a sparse series, a value that stands for a while) to leave the
	// limits. While nothing has varied there is no scale to clip at.
	sigma := c.sigma(&d.normal)
	clipped := value
	if sigma > 0 {
		clipped = d.normal.mean + clamp(value-d.normal.mean, float64(c.Clip*sigma))
	}
	d.normal.smooth(c, step, clipped)
	side, score := c.side(d)

	event := None
	if d.alarm != Calm && (side != d.alarm || score < c.Clear) {
		d.alarm, d.since = Calm, 0
		event = Cleared
	}
	if d.alarm == Calm {
		d.normal.learn(c, step, sigma)
		if score <= c.Raise {
			return event
		}
		// The value that raises the alarm is the last one learned, with its
		// influence bounded: a series that leaves its limits every hour
		// widens them a little each time.
		event = Raised
		if d.since < int64(c.Quiet) {
			event = Relapsed
		}
		d.alarm, d.since = side, 0
		d.recent = track{level: value, mean: value}
		return event
	}

	d.recent.smooth(c, step, value)
	d.recent.learn(c, step, c.sigma(&d.recent))
	if d.since >= int64(c.Accept) {
		d.normal = d.recent
		d.alarm, d.since = Calm, 0
		event = Accepted
	}
	return event
}

// smooth moves the level towards value. The gain is that of the implicit Euler
// step of an exponential: within a thousandth of it at the steps that matter,
// made of operations that every machine rounds alike (math.Exp is not), and
// the bound is the point of it: one value is at most half of the level.
func (t *track) smooth(c *DetectorConfig, step int64, value float64) {
	gain := math.Ln2 * float64(step) / float64(c.Smoothing)
	gain = min(gain/(1+gain), 0.5)
	t.level += float64(gain * (value - t.level))
}

// learn moves mean and variance towards the level, its influence bounded to
// Winsor sigma. A level counts for the time since the one before, not for one:
// a hundred times the traffic must not teach a hundred times faster. The weight
// is the sum of what is remembered, so that the first observations make a plain
// mean and not one that starts at zero.
func (t *track) learn(c *DetectorConfig, step int64, sigma float64) {
	forget := math.Ln2 * float64(step) / float64(c.HalfLife)
	seconds := float64(step) / float64(time.Second)
	t.weight = t.weight/(1+forget) + seconds
	delta := t.level - t.mean
	if sigma > 0 {
		delta = clamp(delta, float64(c.Winsor*sigma))
	}
	gain := seconds / t.weight
	t.mean += float64(gain * delta)
	t.variance = (1 - gain) * (t.variance + float64(gain*float64(delta*delta)))
}

// sigma never falls under the floor: a series that hardly varies would
// otherwise alarm on its last digit.
func (c *DetectorConfig) sigma(t *track) float64 {
	share := float64(c.FloorShare * t.mean)
	return math.Sqrt(t.variance + float64(share*share) + float64(c.Floor*c.Floor))
}

// side says on which side the clipped level is and how many sigma out; 0 while
// that means nothing yet.
func (c *DetectorConfig) side(d *Detector) (Alarm, float64) {
	score := c.score(d, d.normal.level)
	switch {
	case d.age < int64(c.Warmup), score < 0 && !c.TwoSided:
		return High, 0
	case score < 0:
		return Low, -score
	}
	return High, score
}

func (c *DetectorConfig) score(d *Detector, level float64) float64 {
	sigma := c.sigma(&d.normal)
	if !(sigma > 0) {
		return 0
	}
	return (level - d.normal.mean) / sigma
}

// Alarm is the present state.
func (d *Detector) Alarm() Alarm { return d.alarm }

// Level is the smoothed value, in the unit of the values. While calm it is the
// one held against the limits, of clipped values; while alarmed it is that of
// all values since the alarm, as they were, so that it shows how bad it is.
func (d *Detector) Level() float64 {
	if d.alarm != Calm {
		return d.recent.level
	}
	return d.normal.level
}

// Mean is what is normal, in the unit of the values.
func (d *Detector) Mean() float64 { return d.normal.mean }

// Warm reports whether enough was seen to raise an alarm.
func (c *DetectorConfig) Warm(d *Detector) bool {
	return d.begun && d.age >= int64(c.Warmup)
}

// Sigma is the standard deviation of the level around the mean, in the unit of
// the values, and at least the floor.
func (c *DetectorConfig) Sigma(d *Detector) float64 { return c.sigma(&d.normal) }

// Score is how many sigma the level is above the mean (below: negative). It is
// 0 while nothing has varied.
func (c *DetectorConfig) Score(d *Detector) float64 { return c.score(d, d.Level()) }

// Limits are mean - Raise sigma and mean + Raise sigma: a level outside raises
// the alarm. Where TwoSided is not set the lower one is -Inf.
func (c *DetectorConfig) Limits(d *Detector) (low, high float64) {
	reach := float64(c.Raise * c.sigma(&d.normal))
	low, high = d.normal.mean-reach, d.normal.mean+reach
	if !c.TwoSided {
		low = math.Inf(-1)
	}
	return low, high
}

func clamp(x, limit float64) float64 { return max(-limit, min(limit, x)) }
