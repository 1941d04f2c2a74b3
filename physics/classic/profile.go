package classic

import "time"

// Profile names a class of work with its own idea of slow (RFC-0010).
//
// Known fault, kept: the original defines profiles and reads them nowhere; a
// route with a profile has the resistance it would have without.
type Profile uint8

const (
	Light    Profile = iota // cache reads, health checks
	Standard                // ordinary requests
	Heavy                   // reports, model inference
	Extreme                 // batch jobs, training
	Custom                  // Standard until the caller says otherwise

	profiles
)

// ProfileSpec is what a [Profile] stands for.
type ProfileSpec struct {
	LatencyMs      float64       // ms that are normal
	MaxDuration    time.Duration // a task may run this long
	Abortable      bool          // a task must be able to be aborted
	Heartbeat      time.Duration // a task must report this often; 0: need not
	ScarMultiplier float64       // scars count this much
}

var profileSpecs = [profiles]ProfileSpec{
	Light:    {LatencyMs: 10, MaxDuration: time.Second, ScarMultiplier: 2},
	Standard: {LatencyMs: 100, MaxDuration: 30 * time.Second, ScarMultiplier: 1},
	Heavy:    {LatencyMs: 5000, MaxDuration: 5 * time.Minute, Abortable: true, Heartbeat: 5 * time.Second, ScarMultiplier: 0.5},
	Extreme:  {LatencyMs: 60000, MaxDuration: time.Hour, Abortable: true, Heartbeat: 10 * time.Second, ScarMultiplier: 0.2},
	Custom:   {LatencyMs: 100, MaxDuration: 30 * time.Second, ScarMultiplier: 1},
}

// Spec returns what p stands for, and that of Standard for an unknown p.
func (p Profile) Spec() ProfileSpec {
	if p >= profiles {
		p = Standard
	}
	return profileSpecs[p]
}

// Pressure is the excess of a latency in ms over the profile's, in units of
// it: 0 up to the normal latency, 1 at twice that.
//
// Known fault, kept: unlike every other pressure it has no upper limit.
func (p Profile) Pressure(latency float64) float64 {
	normal := p.Spec().LatencyMs
	return max(0, (latency-normal)/normal)
}
