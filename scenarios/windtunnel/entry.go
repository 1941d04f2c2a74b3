package windtunnel

import (
	"github.com/atrion-io/atrion/physics/classic"
	"github.com/atrion-io/atrion/scenarios"
	"github.com/atrion-io/atrion/scenarios/control"
)

// Entry is an arm that may be entered.
type Entry struct {
	scenarios.Arm
	About string
	Peer  bool // the library is in the peers' program, and Factory is nil
}

// UnderTest is the name of the arm whose verdicts count.
const UnderTest = "ohmic"

// idle is the name of the arm that does nothing, which is nobody's rival.
const idle = "none"

// Entries returns all arms, in the order of tables: those of this program, and
// those of the peers'.
func Entries() []Entry {
	own := func(name, about string) Entry {
		c, ok := control.Lookup(name)
		if !ok {
			panic("windtunnel: no controller " + name) // the names below are fixed
		}
		return Entry{Arm: scenarios.Arm{Name: c.Name, Factory: c.New, Privileged: c.Privileged}, About: about}
	}
	peer := func(name, about string, privileged bool) Entry {
		return Entry{Arm: scenarios.Arm{Name: name, Privileged: privileged}, About: about, Peer: true}
	}
	published := scenarios.Arm{Name: "classic", Product: true, Law: publishedLaw()}
	published.Factory = scenarios.Product(published.Law)
	return []Entry{
		own(idle, "admits everything"),
		own("static", "a fixed limit on what is in flight, at the true capacity"),
		own("breaker", "a half-open circuit breaker: half of at least 20 in 10 s, open for 5 s"),
		{Arm: published, About: "Atrion under the law as it was first published"},
		{Arm: scenarios.Arm{Name: UnderTest, Factory: scenarios.Product(nil), Product: true}, About: "Atrion under its default law: the arm under test"},
		own("sre", "client throttling by the ratio of accepted requests, from the SRE book"),
		own("gradient2", "the Gradient2 limit of Netflix's concurrency-limits"),
		own("vegas", "the Vegas limit of Netflix's concurrency-limits"),
		own("dagor", "DAGOR, the overload control of WeChat"),
		own("codel", "CoDel on the backend's queue, last in first out under load"),
		own("rajomon", "Rajomon, prices per request"),
		peer("gobreaker", "sony/gobreaker: half of at least 20 in 10 s, open for 5 s", false),
		peer("gobreaker-rolling", "the same over a sliding window", false),
		peer("gobreaker-default", "the same without any settings", false),
		peer("go-resiliency", "eapache/go-resiliency breaker as in its README", false),
		peer("failsafe-breaker", "failsafe-go circuitbreaker", false),
		peer("failsafe-adaptive", "failsafe-go adaptivelimiter", false),
		peer("failsafe-throttler", "failsafe-go adaptivethrottler", false),
		peer("failsafe-throttler-prio", "the same with priorities", false),
		peer("gozero-breaker", "go-zero core/breaker", false),
		peer("gozero-shedder", "go-zero core/load, told how busy the servers are", true),
		peer("kratos-bbr", "go-kratos/aegis BBR, told how busy the servers are", true),
	}
}

func entryNames(entries []Entry) []string {
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = e.Name
	}
	return names
}

func publishedLaw() *classic.Law {
	law, err := classic.New(classic.DefaultConfig())
	if err != nil {
		panic(err) // its defaults are valid
	}
	return law
}

// usual are the arms of a plan that names none.
var usual = []string{idle, "static", "breaker", "classic", UnderTest, "gradient2"}
