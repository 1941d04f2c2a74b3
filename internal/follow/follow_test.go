package follow

import (
	"testing"
	"time"
)

// How old something is, the server's clock alone says, however wrong ours is.
func TestAgeByTheServersClock(t *testing.T) {
	for _, skew := range []time.Duration{0, -time.Hour, 30 * time.Second, 1000 * time.Hour} {
		server := time.Now().Round(0).Add(skew)
		c := Clock{server: server, local: time.Now()}
		if age := c.Age(server.Add(-20 * time.Second)); age < 20*time.Second || age > 25*time.Second {
			t.Errorf("with a skew of %v: %v, want 20 s", skew, age)
		}
	}
	if age := (Clock{}).Age(time.Now()); age != 0 {
		t.Errorf("of a server that does not say what time it is: %v", age)
	}
}
