//go:build amd64 && !purego && !noasm

package vec

import "github.com/klauspost/cpuid/v2"

// detect returns the best level of this CPU under this operating system
// (cpuid clears the vector bits when the system does not save the registers).
func detect() Level {
	if !cpuid.CPU.Supports(cpuid.AVX2, cpuid.FMA3) {
		return Portable
	}
	if !cpuid.CPU.Supports(cpuid.AVX512F, cpuid.AVX512DQ, cpuid.AVX512VL, cpuid.AVX512VBMI2) {
		return AVX2
	}
	return AVX512
}
