package requirements

import (
	"fmt"
	"math"
	"testing"

	"github.com/atrion-io/atrion"
	"github.com/atrion-io/atrion/internal/sim"
	"github.com/atrion-io/atrion/physics/ohmic"
)

// R12, floors: at three and five times the capacity, with floors of 15 % for
// those who bid as the tier low does and 10 % for bulk, each of these lanes gets
// its share of the goodput within two percentage points, though critical asks for
// more than the callee can do, and critical gets the rest. What a lane does not
// ask for goes to the others. Goodput as a whole does not suffer: of what there
// is without floors, not more than a hundredth is lost.
const (
	floorLow, floorBulk = .15, .10
	floorError          = .02
	floorCost           = .01
)

const (
	floorSettle = 4 // s of the overload before shares are counted
	floorSeeds  = 10
)

// laned is an overload whose classes bid as critical, low and bulk do.
func laned(load float64, mix [sim.Classes]float64) sim.Scenario {
	const from, to, end = 4, 24, 26
	return sim.Scenario{
		Name: fmt.Sprintf("lanes%gx", load), Duration: end,
		Clients: sim.Clients{Load: sim.Steps(at(0, .5), at(from, load), at(to, .5)), Mix: mix},
		Backend: sim.Backend{Servers: 32, Service: sim.Exponential(50), Slow: .5},
		Fault:   sim.Interval{From: from, To: to},
	}
}

// greedy is a mix of which every class alone wants more than is left for it.
var greedy = [sim.Classes]float64{.5, .3, .2}

var tierBids = sim.Voltages{{Low: 400, High: 400}, {Low: 50, High: 50}, {Low: 25, High: 25}}

// floors are the floors in promise. Retries bid less and stay in their lane.
func floors(c *ohmic.Config) {
	c.Lanes = []ohmic.Lane{{UpTo: 25, Floor: floorBulk}, {Above: 25, UpTo: 50, Floor: floorLow}}
}

// sharer counts, from a second on and up to another, what is asked of a
// controller and what succeeds, by class.
type sharer struct {
	sim.Controller
	env         *sim.Env
	from, to    float64
	class       map[sim.Ticket]sim.Class
	asked, good [sim.Classes]float64
}

// Admit asks the controller.
func (s *sharer) Admit(a sim.Attempt) (sim.Ticket, bool) {
	t, ok := s.Controller.Admit(a)
	if ok {
		s.class[t] = a.Class
	}
	if s.counts() {
		s.asked[a.Class]++
	}
	return t, ok
}

// Done tells the controller.
func (s *sharer) Done(t sim.Ticket, latency float64, k sim.Kind) {
	if k == sim.OK && s.counts() {
		s.good[s.class[t]]++
	}
	delete(s.class, t)
	s.Controller.Done(t, latency, k)
}

// Close closes the controller.
func (s *sharer) Close() { s.Controller.(sim.Closer).Close() }

func (s *sharer) counts() bool {
	now := seconds(s.env)
	return now >= s.from && now < s.to
}

// shares plays a scenario and returns each class's share of the successes in the
// overload, and what was asked for of it.
func shares(t testing.TB, sc sim.Scenario, f sim.Factory, seed uint64) (share, asked [sim.Classes]float64, r sim.Result) {
	t.Helper()
	var s *sharer
	r, err := sim.Run(&sc, "arm", func(env *sim.Env) sim.Controller {
		s = &sharer{Controller: f(env), env: env, from: sc.Fault.From + floorSettle, to: sc.Fault.To, class: map[sim.Ticket]sim.Class{}}
		return s
	}, seed, sim.Options{Voltages: tierBids})
	if err != nil {
		t.Fatal(err)
	}
	total := s.good[sim.VIP] + s.good[sim.Normal] + s.good[sim.Background]
	for c, n := range s.good {
		share[c] = n / total
	}
	return share, s.asked, r
}

// offFloors is how far the worst class is from what it should get.
func offFloors(share [sim.Classes]float64) (worst float64) {
	for c, want := range [...]float64{1 - floorLow - floorBulk, floorLow, floorBulk} {
		worst = max(worst, math.Abs(share[c]-want))
	}
	return worst
}

func TestR12Floors(t *testing.T) {
	for _, load := range []float64{3, 5} {
		t.Run(fmt.Sprintf("%gx", load), func(t *testing.T) {
			t.Parallel()
			var worst, least, with, without float64
			var mean [sim.Classes]float64
			least = 1
			for seed := uint64(1); seed <= floorSeeds; seed++ {
				share, _, r := shares(t, laned(load, greedy), product(setup{law: floors}), seed)
				plain, _, p := shares(t, laned(load, greedy), product(setup{}), seed)
				for c := range mean {
					mean[c] += share[c] / floorSeeds
				}
				worst, least = max(worst, offFloors(share)), min(least, offFloors(plain))
				with += float64(r.GoodputFault) / floorSeeds
				without += float64(p.GoodputFault) / floorSeeds
			}
			t.Logf("critical, low, bulk %.3f, worst seed %.4f off; goodput %.4f, without floors %.4f", mean, worst, with, without)
			if !(worst <= floorError) {
				t.Errorf("a lane is %.4f off its floor, promised %v", worst, floorError)
			}
			if !(with >= without-floorCost) {
				t.Errorf("goodput %.4f with floors, %.4f without, promised %v at most between them", with, without, floorCost)
			}
			// The control arm.
			if least <= 3*floorError {
				t.Errorf("without floors a run is only %.4f off them: the test shows nothing", least)
			}
		})
	}
}

// What a lane leaves of its floor is for the others: bulk asks for half of its
// floor and gets all of it, and critical and low share what bulk leaves.
func TestR12UnusedFloor(t *testing.T) {
	t.Parallel()
	const load, bulk = 3, .05
	share, asked, _ := shares(t, laned(load, [sim.Classes]float64{.7 - bulk/load, .3, bulk / load}), product(setup{law: floors}), 1)
	t.Logf("critical, low, bulk %.3f; bulk asked %.0f times", share, asked[sim.Background])
	for c, want := range [...]float64{1 - floorLow - bulk, floorLow, bulk} {
		if math.Abs(share[c]-want) > floorError {
			t.Errorf("class %d gets %.4f, want %.4f", c, share[c], want)
		}
	}
}

// V > R is true for who passes, and false for who does not, also where a lane
// passes that bids less than another which does not.
func TestR12FloorsInOrder(t *testing.T) {
	t.Parallel()
	passed, outbid := map[float64]int{}, 0
	highest := 0.0 // of those rejected last
	shares(t, laned(3, greedy), product(setup{law: floors, each: func(a sim.Attempt, d atrion.Decision, ok bool) {
		if w := wrong(d, ok); w != "" {
			t.Error(w)
		}
		if ok {
			passed[a.Voltage]++
			if a.Voltage < highest {
				outbid++
			}
		} else {
			highest = a.Voltage
		}
	}}), 1)
	if passed[400] < 1000 || passed[50] < 1000 || passed[25] < 1000 || outbid < 1000 {
		t.Errorf("passed %v, %d while a higher bid was rejected: the test shows nothing", passed, outbid)
	}
}
