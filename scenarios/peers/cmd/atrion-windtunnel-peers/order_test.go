package main

import (
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

func TestInOrder(t *testing.T) {
	for _, parallel := range []int{1, 2, 7} {
		synctest.Test(t, func(t *testing.T) {
			start := time.Now()
			var got []int
			err := inOrder(20, parallel, func(i int) int {
				time.Sleep(time.Duration(20-i) * time.Second) // the first is the last to be ready
				return i
			}, func(i int) error { got = append(got, i); return nil })
			if err != nil || len(got) != 20 || !slices.IsSorted(got) {
				t.Errorf("%d goroutines: %v, %v", parallel, got, err)
			}
			if took := time.Since(start); parallel == 1 != (took == 210*time.Second) {
				t.Errorf("%d goroutines took %v", parallel, took)
			}
		})
	}
}

func TestInOrderStops(t *testing.T) {
	broken := errors.New("broken pipe")
	if err := inOrder(3, 2, func(i int) int { return i }, func(int) error { return broken }); err != broken {
		t.Errorf("got %v", err)
	}
}
