package windtunnel

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/atrion-io/atrion/internal/sim"
	"github.com/atrion-io/atrion/scenarios"
)

// Plan says what is played: every scenario with every arm and every seed.
type Plan struct {
	Scenarios []scenarios.Scenario
	Arms      []Entry
	Seeds     []Range // each range is a set of its own in score sheets
	Voltages  sim.Voltages
	Parallel  int    // runs at a time
	Peers     *Peers // plays the arms that are peers
	Trace     bool   // keep what happened over time in the runs of the first seed

	// Progress is told of every run that ends, from several goroutines: the
	// share of the whole work that is done.
	Progress func(done float64)
}

// Command returns the command line that plays the plan, whatever the machine.
func (p *Plan) Command() string {
	b := &strings.Builder{}
	b.WriteString("atrion-node windtunnel")
	names := scenarioNames(p.Scenarios)
	if !slices.Equal(names, scenarioNames(Scenarios())) {
		for group, of := range map[string]func(scenarios.Scenario) bool{
			allCases: func(s scenarios.Scenario) bool { return !isCase(s) }, allStories: isCase,
		} {
			if slices.Equal(names, scenarioNames(slices.DeleteFunc(Scenarios(), of))) {
				names = []string{group}
			}
		}
		fmt.Fprintf(b, " --scenario %s", strings.Join(names, ","))
	}
	names = entryNames(p.Arms)
	switch {
	case slices.Equal(names, usual):
	case slices.Equal(names, entryNames(Entries())):
		fmt.Fprintf(b, " --controller %s", allArms)
	default:
		fmt.Fprintf(b, " --controller %s", strings.Join(names, ","))
	}
	seeds := make([]string, len(p.Seeds))
	for i, r := range p.Seeds {
		seeds[i] = r.String()
	}
	fmt.Fprintf(b, " --seeds %s", strings.Join(seeds, ","))
	if name := voltagesName(p.Voltages); name != "standard" {
		fmt.Fprintf(b, " --voltages %s", name)
	}
	return b.String()
}

// seeds returns all seeds in order.
func (p *Plan) seeds() []uint64 {
	var all []uint64
	for _, r := range p.Seeds {
		for s := r.First; s <= r.Last; s++ {
			all = append(all, s)
		}
	}
	return all
}

// cost is about how much work a run of a scenario is: the requests that its
// backend could serve. A story counts as a case of ordinary length.
func cost(s scenarios.Scenario) float64 {
	if l, ok := s.(scenarios.Looped); ok {
		if c := l.Case(); c.Backend.Service != nil {
			return c.Duration * c.Backend.Capacity()
		}
	}
	return 640 * 80
}

// ErrInterrupted means that the context ended before the plan was played.
var ErrInterrupted = errors.New("interrupted")

// Play plays the plan. With ErrInterrupted, the sheet has what was played until
// then; with another error there is none.
func (p *Plan) Play(ctx context.Context) (*Sheet, error) {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	s := newSheet(p)
	w := &work{plan: p, sheet: s}
	for i := range p.Scenarios {
		for j := range p.Arms {
			if !s.cells[i][j].Skipped {
				w.total += cost(p.Scenarios[i]) * float64(len(s.seeds))
			}
		}
	}
	w.here(ctx, stop)
	if ctx.Err() == nil {
		if err := w.there(ctx); err != nil && ctx.Err() == nil {
			return nil, err
		}
	}
	if err := context.Cause(ctx); err != nil {
		if !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded) {
			return nil, err
		}
		if done, all := s.played(); done < all {
			s.Partial = true
			return s, fmt.Errorf("%w after %d of %d runs", ErrInterrupted, done, all)
		}
	}
	return s, nil
}

// work is a plan being played.
type work struct {
	plan  *Plan
	sheet *Sheet
	total float64

	mu   sync.Mutex
	done float64
}

func (w *work) tick(scenario int) {
	if w.plan.Progress == nil {
		return
	}
	w.mu.Lock()
	w.done += cost(w.plan.Scenarios[scenario])
	done := w.done / w.total
	w.mu.Unlock()
	w.plan.Progress(done)
}

// here plays the arms of this program.
func (w *work) here(ctx context.Context, stop context.CancelCauseFunc) {
	type job struct{ scenario, arm, seed int }
	var jobs []job
	for i := range w.plan.Scenarios {
		for j, arm := range w.plan.Arms {
			for k := range w.sheet.seeds {
				if !arm.Peer {
					jobs = append(jobs, job{i, j, k})
				}
			}
		}
	}
	var next atomic.Int64
	var workers sync.WaitGroup
	for range max(1, w.plan.Parallel) {
		workers.Go(func() {
			for ctx.Err() == nil {
				n := int(next.Add(1)) - 1
				if n >= len(jobs) {
					return
				}
				j := jobs[n]
				if err := w.run(j.scenario, j.arm, j.seed); err != nil {
					stop(err)
					return
				}
				w.tick(j.scenario)
			}
		})
	}
	workers.Wait()
}

// run plays one scenario with one arm and seed. Every run has a place of its
// own in the sheet.
func (w *work) run(scenario, arm, seed int) error {
	s, a, n := w.plan.Scenarios[scenario], w.plan.Arms[arm], w.sheet.seeds[seed]
	o := sim.Options{Voltages: w.plan.Voltages}
	if w.plan.Trace && seed == 0 {
		o.Trace, a.Factory = new(sim.Trace), gauged(a.Factory)
	}
	outcome, err := s.Run(a.Arm, n, o)
	if err != nil {
		return fmt.Errorf("%s with %s, seed %d: %w", s.Name(), a.Name, n, err)
	}
	cell := &w.sheet.cells[scenario][arm]
	cell.outcomes[seed] = &outcome
	if o.Trace != nil {
		cell.series = newSeries(o.Trace)
	}
	return nil
}

// there lets the peers' program play its arms, a set of seeds after the other.
func (w *work) there(ctx context.Context) error {
	q := query{parallel: w.plan.Parallel}
	var rows, columns []int // in the sheet
	for i, s := range w.plan.Scenarios {
		if isCase(s) {
			q.scenarios, rows = append(q.scenarios, s.Name()), append(rows, i)
		}
	}
	for j, a := range w.plan.Arms {
		if a.Peer {
			q.arms, columns = append(q.arms, a.Name), append(columns, j)
		}
	}
	if len(rows) == 0 || len(columns) == 0 {
		return nil
	}
	if w.plan.Peers == nil {
		return errors.New("peers are entered, but their program is not known")
	}
	before := 0 // seeds of the sets before this one
	for _, r := range w.plan.Seeds {
		q.seeds = r
		err := w.plan.Peers.play(ctx, q, func(scenario, arm, seed int, o scenarios.Outcome) {
			w.sheet.cells[rows[scenario]][columns[arm]].outcomes[before+seed] = &o
			w.tick(rows[scenario])
		})
		if err != nil {
			return err
		}
		before += r.len()
	}
	return nil
}
