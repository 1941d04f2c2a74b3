package actors

import (
	"testing"
	"unsafe"
)

// The layout that Route's comments promise.
func TestRouteLayout(t *testing.T) {
	var r Route
	if size := unsafe.Sizeof(r); unsafe.Sizeof(uintptr(0)) == 8 && size != 192 {
		t.Errorf("a Route has %d bytes, want 192: three cache lines", size)
	}
	if at := unsafe.Offsetof(r.seats); unsafe.Sizeof(uintptr(0)) == 8 && at != 64 {
		t.Errorf("the written part begins at %d, want 64", at)
	}
}
