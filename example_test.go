package atrion_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/atrion-io/atrion"
	"github.com/atrion-io/atrion/physics/ohmic"
)

func Example() {
	ctx := context.Background()
	eng, err := atrion.New(atrion.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer eng.Close(ctx)
	payments, err := eng.Route("payments")
	if err != nil {
		fmt.Println(err)
		return
	}
	pay := func(context.Context) (string, error) { return "paid", nil }

	receipt, err := atrion.Do(ctx, payments, pay, atrion.High)
	if errors.Is(err, atrion.ErrRejected) {
		fmt.Println("shed:", err)
		return
	}
	fmt.Println(receipt, err)
	// Output: paid <nil>
}

func ExampleRoute_Acquire() {
	ctx := context.Background()
	cfg := ohmic.DefaultConfig()
	cfg.Floor = 12 // volts below which nobody gets in, even when all is well
	law, _ := ohmic.New(cfg)
	eng, _ := atrion.New(atrion.Config{Law: law})
	defer eng.Close(ctx)
	route, _ := eng.Route("search")

	permit, err := route.Acquire(ctx, atrion.Voltage(5))
	var rejected *atrion.RejectedError
	if errors.As(err, &rejected) {
		d := rejected.Decision
		fmt.Printf("%v: %v volts against %v ohms\n", d.Reason, d.Voltage, d.Resistance)
		return
	}
	permit.Done(nil)
	// Output: insufficient_voltage: 5 volts against 12 ohms
}

func ExampleEngine_Decide() {
	eng, _ := atrion.New(atrion.Config{})
	defer eng.Close(context.Background())

	// What the original library calls route(id, telemetry).
	d, err := eng.Decide("api/checkout", atrion.Telemetry{Latency: 45 * time.Millisecond, ErrorRate: 0.01, Saturation: 0.3})
	fmt.Println(d.Allow, d.Mode, d.Resistance, err)
	// Output: true bootstrap 0 <nil>
}
