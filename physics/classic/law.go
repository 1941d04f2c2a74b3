package classic

import (
	"fmt"

	"github.com/atrion-io/atrion/physics"
	"github.com/atrion-io/atrion/vec"
)

// Name is the law's name in configuration, on the wire and in stored state.
const Name = "classic"

// Law is the published law behind the interface that the engine drives:
// [physics.Law]. It is immutable and safe for concurrent use. Make one with
// [New].
type Law struct {
	params Params
	kernel *vec.ClassicParams
}

var _ physics.Law = (*Law)(nil)

// New returns the law of c. The error names every field of c that is outside
// its range; a zero Config is refused, start from [DefaultConfig].
func New(c Config) (*Law, error) {
	if err := c.Validate(); err != nil {
		return nil, fmt.Errorf("classic: invalid configuration: %w", err)
	}
	p := c.Params()
	k := vec.ClassicParams{
		LatencyBase:    p.Baselines.LatencyMs,
		ErrorBase:      p.Baselines.ErrorRate,
		SaturationBase: p.Baselines.Saturation,
		TanhScale:      p.TanhScale,
		WLatency:       p.Weights.Latency,
		WError:         p.Weights.Error,
		WSaturation:    p.Weights.Saturation,
		Base:           p.BaseResistance,
		Damping:        p.DampingFactor,
		DecayPerSecond: p.DecayRate,
		ScarFactor:     p.ScarFactor,
		Critical:       p.CriticalPressure,
		FixedBreak:     p.Break(),
		FixedRecover:   p.Recover(),
	}
	if p.Tuned {
		k.Tuned = true
		k.Alpha = p.Tuner.Alpha()
		k.Sensitivity = p.Tuner.Sensitivity
		k.Floor = p.Tuner.Floor
		k.Ceiling = p.Tuner.Ceiling
		k.RecoveryMultiplier = p.Tuner.RecoveryMultiplier
		k.Warmup = p.Tuner.Warmup
		k.FallbackBreak = p.Tuner.FallbackBreak
	}
	return &Law{params: p, kernel: vec.NewClassicParams(k)}, nil
}

// Name returns "classic".
func (l *Law) Name() string { return Name }

// Draws reports false: decisions are deterministic.
func (l *Law) Draws() bool { return false }

// Config returns the configuration the law was made from.
func (l *Law) Config() Config { return l.params.Config }

// NewState returns the state of a route never seen: in bootstrap, at 1.2
// bases.
func (l *Law) NewState() physics.State {
	s := &State{law: l, boot: true}
	s.k.R = l.params.BootstrapResistance()
	s.k.Break, s.k.Recover = l.kernel.Thresholds(0, 0, 0)
	return s
}
