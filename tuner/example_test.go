package tuner_test

import (
	"fmt"
	"time"

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

// A latency is watched, one value per second. The alarm says by how much.
func ExampleDetector() {
	c := tuner.DefaultDetector()
	var d tuner.Detector
	for i := range 1800 {
		value := 240 + 20*float64(i%5) - 40 // ms, normally
		if i >= 1500 && i < 1560 {
			value = 812
		}
		now := time.Duration(i) * time.Second
		switch event := c.Observe(&d, int64(now), value); event {
		case tuner.Raised:
			_, limit := c.Limits(&d)
			fmt.Printf("%v: %v: %.0f ms is %.0f sigma over %.0f ms, limit %.0f ms\n",
				now, event, d.Level(), c.Score(&d), d.Mean(), limit)
		case tuner.Cleared:
			fmt.Printf("%v: %v: %.0f ms\n", now, event, d.Level())
		}
	}
	// Output:
	// 25m4s: raised: 812 ms is 129 sigma over 240 ms, limit 262 ms
	// 26m10s: cleared: 250 ms
}
