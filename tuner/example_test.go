package tuner_test

import (
	"fmt"

	"github.com/atrion-io/atrion/tuner"
)

// A route that normally resists 40 ohms trips where 40 is no longer normal.
func Example() {
	c := tuner.DefaultConfig()
	var s tuner.State
	fmt.Printf("at first %.0f\n", c.Break(&s))
	for i := range 60 {
		c.Observe(&s, 40+float64(i%3))
	}
	fmt.Printf("later %.1f, recovered below %.1f\n", c.Break(&s), c.Recover(&s))
	fmt.Println(c.Trips(&s, 42), c.Trips(&s, 60))
	// Output:
	// at first 100
	// later 43.2, recovered below 21.6
	// false true
}
