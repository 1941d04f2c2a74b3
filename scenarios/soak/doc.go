// Package soak holds a node to R21: whatever keys callers make up, memory,
// goroutines and stored state stay within bounds, and after the end nothing is
// left.
//
//	ATRION_SOAK=10m go test ./scenarios/soak -run Soak -v -timeout 20m
//
// Without the variable the same runs for some seconds: too short to see a level
// in what takes a minute to expire, long enough for everything else.
package soak
