package ohmic

// failures is the memory of failure (5), the scar: completions A and successes
// G, both forgotten with tau_e, and no more than FailureCalls of them: where
// thousands a second succeeded, an outage must not wait until a second of them is
// forgotten. Within one refresh interval nothing fades, a twentieth of the memory
// at most.
type failures struct{ all, good float64 }

func (f *failures) add(good float64) {
	f.all++
	f.good += good
}

func (f *failures) forget(keep float64) {
	f.all *= keep
	f.good *= keep
}

// excess is A - K G: above 0, the calls that fail are too many.
func (f *failures) excess(c *Config) float64 { return f.all - float64(c.Tolerance*f.good) }

// ratio is r = max(0, (A - K G)/(A + pad)) with A and G faded by that share
// more. It is below 1, so that probes always go to the highest bidders: when
// all fails, about sqrt(lambda pad) of them a second.
func (f *failures) ratio(share float64, c *Config) float64 {
	excess := f.excess(c)
	if excess <= 0 {
		return 0
	}
	return share * excess / (float64(share*f.all) + c.Evidence)
}
