package windtunnel

import (
	"github.com/atrion-io/atrion/internal/sim"
	"github.com/atrion-io/atrion/scenarios"
)

// panel is the same plot for several arms side by side, on the same axes.
type panel struct {
	Title string
	Keys  []key
	Plots []plot
}

// key explains a curve.
type key struct {
	Class, Name string
	Line        bool
}

// panels returns the plots of a scenario; none if no trace was kept.
func (s *Sheet) panels(scenario int) []panel {
	var fault *sim.Interval
	if l, ok := s.Plan.Scenarios[scenario].(scenarios.Looped); ok {
		if c := l.Case(); !c.Fault.Empty() {
			fault = &c.Fault
		}
	}
	v := view{fault: fault}
	for j, a := range s.Plan.Arms {
		if c := &s.cells[scenario][j]; c.series != nil {
			v.arms = append(v.arms, armSeries{a.Name, j, c.series})
		}
	}
	if len(v.arms) == 0 {
		return nil
	}
	bids := s.Plan.Voltages
	if bids == (sim.Voltages{}) {
		bids = sim.Standard
	}
	return []panel{v.demand(), v.goodput(), v.attempts(), v.resistance(bids), v.concurrency()}
}

// view is what the panels of one scenario have in common.
type view struct {
	fault *sim.Interval
	arms  []armSeries
}

type armSeries struct {
	name   string
	column int
	*series
}

// each returns a plot for every arm, all up to the same value. draw returns why
// it draws nothing.
func (v *view) each(most float64, draw func(p *plot, s *series) (absent string)) []plot {
	var plots []plot
	for _, a := range v.arms {
		p := newPlot(len(a.offered), a.step, most)
		p.Arm, p.Column = a.name, a.column
		if v.fault != nil {
			p.Fault = &span{v.fault.From / a.step, v.fault.Length() / a.step}
		}
		p.Absent = draw(&p, a.series)
		plots = append(plots, p)
	}
	return plots
}

// peak returns the highest value over all arms.
func (v *view) peak(of func(s *series) []float64) float64 {
	most := 0.0
	for _, a := range v.arms {
		most = max(most, peak(of(a.series)))
	}
	return most
}

// demand is the same for every arm, so it has one plot.
func (v *view) demand() panel {
	first := view{v.fault, v.arms[:1]}
	s := v.arms[0].series
	plots := first.each(max(peak(s.offered), peak(s.capacity)), func(p *plot, s *series) string {
		p.Arm, p.Column = "", -1
		p.stacked(layer{"offered", "offered", s.offered})
		p.line(layer{"capacity", "capacity", s.capacity})
		return ""
	})
	return panel{"What is wanted and what is possible: requests per second", []key{
		{"offered", "offered load", false}, {"capacity", "capacity of the backend", true},
	}, plots}
}

func (v *view) goodput() panel {
	most := v.peak(func(s *series) []float64 {
		return stack(s.good[sim.VIP], s.good[sim.Normal], s.good[sim.Background])
	})
	plots := v.each(most, func(p *plot, s *series) string {
		p.stacked(
			layer{"vip", "VIP", s.good[sim.VIP]},
			layer{"normal", "normal", s.good[sim.Normal]},
			layer{"background", "background", s.good[sim.Background]},
		)
		possible := make([]float64, len(s.offered))
		for i := range possible {
			possible[i] = min(s.offered[i], s.capacity[i])
		}
		p.line(layer{"capacity", "possible", possible})
		return ""
	})
	return panel{"Goodput by class: successful requests per second", []key{
		{"vip", "VIP", false}, {"normal", "normal", false}, {"background", "background", false},
		{"capacity", "possible: the less of load and capacity", true},
	}, plots}
}

func (v *view) attempts() panel {
	most := v.peak(func(s *series) []float64 { return stack(s.admitted, s.rejected) })
	plots := v.each(most, func(p *plot, s *series) string {
		p.stacked(layer{"admitted", "admitted", s.admitted}, layer{"rejected", "rejected", s.rejected})
		return ""
	})
	return panel{"Attempts, retries included: per second", []key{
		{"admitted", "admitted", false}, {"rejected", "rejected by the controller", false},
	}, plots}
}

// opaque is why there is nothing to see of an arm.
const opaque = "shows no such number"

// headroom is how far above the highest bid a resistance is still shown.
const headroom = 1.2

func (v *view) resistance(bids sim.Voltages) panel {
	highest := 0.0
	for _, b := range bids {
		highest = max(highest, b.High)
	}
	plots := v.each(highest*headroom, func(p *plot, s *series) string {
		if peak(s.base, s.pressure, s.moment, s.scar) == 0 {
			return opaque
		}
		p.stacked(
			layer{"base", "base", s.base}, layer{"pressure", "pressure", s.pressure},
			layer{"momentum", "momentum", s.moment}, layer{"scar", "scar", s.scar},
		)
		p.trips(s.tripped)
		for class, name := range []string{"VIP", "normal", "background"} {
			p.Rules = append(p.Rules, rule{name, float64(p.y(bids[class].Low))})
		}
		return ""
	})
	return panel{"Resistance R, its terms on top of each other: ohms, cut off above all bids", []key{
		{"base", "base", false}, {"pressure", "pressure", false}, {"momentum", "momentum", false}, {"scar", "scar", false},
		{"tripped", "tripped: nobody passes", false},
		{"bid", "what VIP, normal and background bid: those above R pass", true},
	}, plots}
}

func (v *view) concurrency() panel {
	// Who has no limit may have hundreds of times more in flight than who has
	// one: those that say their limit set the scale.
	limited := view{v.fault, nil}
	for _, a := range v.arms {
		if peak(a.limit) > 0 {
			limited.arms = append(limited.arms, a)
		}
	}
	if len(limited.arms) == 0 {
		limited = *v
	}
	most := max(limited.peak(func(s *series) []float64 { return s.inflight }), limited.peak(func(s *series) []float64 { return s.limit }))
	plots := v.each(most, func(p *plot, s *series) string {
		if peak(s.inflight, s.limit) == 0 {
			return opaque
		}
		p.stacked(layer{"inflight", "N", s.inflight})
		if peak(s.limit) > 0 {
			p.line(layer{"limit", "L", s.limit})
		}
		return ""
	})
	return panel{"In flight: attempts, cut off where others than those with a limit L have more", []key{
		{"inflight", "N, in flight", false}, {"limit", "L, the limit, of controllers that show it", true},
	}, plots}
}
