package control

import (
	"math"
	"testing"

	"github.com/atrion-io/atrion/internal/sim"
)

func TestRajomonPrice(t *testing.T) {
	b := newBed()
	c := newRajomon(b.env).(*rajomon)
	wantAdmitted(t, "for free", admit(c, 100, sim.Attempt{Voltage: 1}), 100)
	b.wait = 30
	b.after(.0201) // two updates of .5*(30-10)
	if c.price != 20 {
		t.Errorf("price %v, want 20", c.price)
	}
	b.after(.01) // the third rise in a row counts .8^2
	if math.Abs(c.price-26.4) > 1e-9 {
		t.Errorf("price %v, want 26.4", c.price)
	}
	wantAdmitted(t, "under the price", admit(c, 100, sim.Attempt{Voltage: 20}), 0)
	if n := len(admit(c, 1000, sim.Attempt{Voltage: 100})); n < 680 || n > 790 {
		t.Errorf("%d of 1000 admitted at 100 V, want about 736", n)
	}
	b.wait = 0
	b.after(1)
	if c.price != 0 {
		t.Errorf("price %v a second after the queue went, want 0", c.price)
	}
}
