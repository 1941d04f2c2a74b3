package control

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/atrion-io/atrion/physics"
	"github.com/atrion-io/atrion/physics/classic"
	"github.com/atrion-io/atrion/physics/ohmic"
)

// laws are the parameters of the laws there are. Keys are those of the node's
// configuration file.
type laws struct {
	Ohmic   ohmic.Config
	Classic classic.Config
}

// read changes what the section says of them.
func (l *laws) read(s *section) {
	s.sub("ohmic", func(s *section) {
		c := &l.Ohmic
		s.number("floor", &c.Floor)
		s.number("headroom", &c.Headroom)
		s.number("reserve", &c.Reserve)
		s.span("bid_memory", &c.BidMemory)
		s.span("rate_memory", &c.RateMemory)
		s.span("slow_memory", &c.SlowMemory)
		s.span("failure_memory", &c.FailureMemory)
		s.number("failure_calls", &c.FailureCalls)
		s.number("tolerance", &c.Tolerance)
		s.number("evidence", &c.Evidence)
		s.number("gamma", &c.Gamma)
		s.number("peer_calls", &c.PeerCalls)
		s.number("word_most", &c.WordMost)
		s.sub("lanes", func(s *section) {
			c.Lanes = nil // not those of all routes, which others have
			for _, name := range s.tree.keys {
				s.sub(name, func(s *section) {
					var l ohmic.Lane
					s.number("above", &l.Above)
					s.number("up_to", &l.UpTo)
					s.number("floor", &l.Floor)
					c.Lanes = append(c.Lanes, l)
				})
			}
		})
		s.number("dip_depth", &c.DipDepth)
		s.number("knee", &c.Knee)
		s.number("congested", &c.Congested)
		s.number("start_limit", &c.StartLimit)
		s.number("least_limit", &c.LeastLimit)
		s.span("dip_every", &c.DipEvery)
		s.span("dip_at_most", &c.DipAtMost)
		s.ranges(c.Validate())
	})
	s.sub("classic", func(s *section) {
		c := &l.Classic
		s.number("base_resistance", &c.BaseResistance)
		s.number("decay_rate", &c.DecayRate)
		s.number("scar_factor", &c.ScarFactor)
		s.number("damping_factor", &c.DampingFactor)
		s.number("critical_pressure", &c.CriticalPressure)
		s.number("break_multiplier", &c.BreakMultiplier)
		s.whole("bootstrap_ticks", &c.BootstrapTicks)
		s.number("tanh_scale", &c.TanhScale)
		s.sub("slo", func(s *section) {
			s.number("latency_ms", &c.SLO.LatencyMs)
			s.number("error_rate", &c.SLO.ErrorRate)
			s.sub("criticality", func(s *section) {
				s.number("latency", &c.SLO.Criticality.Latency)
				s.number("error", &c.SLO.Criticality.Error)
				s.number("saturation", &c.SLO.Criticality.Saturation)
			})
		})
		s.flag("tuned", &c.Tuned)
		s.sub("tuner", func(s *section) {
			s.whole("window", &c.Tuner.Window)
			s.number("sensitivity", &c.Tuner.Sensitivity)
			s.number("floor", &c.Tuner.Floor)
			s.number("ceiling", &c.Tuner.Ceiling)
			s.whole("warmup", &c.Tuner.Warmup)
			s.number("recovery_multiplier", &c.Tuner.RecoveryMultiplier)
			s.number("fallback_break", &c.Tuner.FallbackBreak)
		})
		s.ranges(c.Validate())
	})
}

// outOfRange is how the laws say what is wrong with their parameters.
var outOfRange = regexp.MustCompile(`^(\S+) is (.+?), (?:allowed |must be )(.+)$`)

// ranges reports what a law says of its parameters, by the names they have in the
// document.
func (s *section) ranges(err error) {
	if err == nil {
		return
	}
	for line := range strings.Lines(err.Error()) {
		path, text := s.path, strings.TrimSpace(line)
		for cut := true; cut; {
			var rest, name string
			if name, rest, cut = strings.Cut(text, ": "); cut {
				text = rest
				if name == "tuner" {
					path = join(s.path, "tuner")
				}
			}
		}
		if m := outOfRange.FindStringSubmatch(text); m != nil {
			for _, name := range strings.Split(m[1], ".") {
				path += "." + snake(name)
			}
			s.wrong(path, m[2], m[3])
		} else {
			s.wrong(path, "wrong", text)
		}
	}
}

// snake is the key of a field: LatencyMs is latency_ms, SLO is slo.
func snake(field string) string {
	var b strings.Builder
	for i := range len(field) {
		c := field[i]
		upper := c >= 'A' && c <= 'Z'
		if upper && i > 0 && field[i-1] >= 'a' && field[i-1] <= 'z' {
			b.WriteByte('_')
		}
		if upper {
			c += 'a' - 'A'
		}
		b.WriteByte(c)
	}
	return b.String()
}

// law is the one of that name with its parameters, the same as before if nothing
// about it has changed: routes then need not be told.
func (p *Parser) law(l *laws) (law physics.Law, err error) {
	key := fmt.Sprintf("%+v", l.Ohmic) // with lanes it is no map's key itself
	if p.base.Law == classic.Name {
		key = fmt.Sprintf("%+v", l.Classic)
	}
	if law, ok := p.known[key]; ok {
		p.fresh[key] = law
		return law, nil
	}
	if law, ok := p.fresh[key]; ok {
		return law, nil
	}
	if p.base.Law == classic.Name {
		law, err = classic.New(l.Classic)
	} else {
		law, err = ohmic.New(l.Ohmic)
	}
	if err == nil {
		p.fresh[key] = law
	}
	return law, err
}
