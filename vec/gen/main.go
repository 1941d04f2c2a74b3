// Command gen writes the assembly of package vec and its Go declarations into
// a directory, by default that of the package. The output depends on nothing
// but this source. See README.md.
package main

import (
	"log"
	"os"

	"github.com/mmcloughlin/avo/build"
)

func main() {
	log.SetFlags(0)
	dir := ".."
	switch len(os.Args) {
	case 1:
	case 2:
		dir = os.Args[1]
	default:
		log.Fatal("usage: gen [directory]")
	}
	if err := os.Chdir(dir); err != nil {
		log.Fatal(err)
	}
	// avo reads its options from here and prints them in the header; set like
	// this they are the same whatever the directory.
	os.Args = []string{os.Args[0], "-out", "kernel_amd64.s", "-stubs", "kernel_amd64.go", "-pkg", "vec"}

	build.ConstraintExpr("amd64,!purego,!noasm")
	for _, k := range []*kernel{
		{name: "AVX2", width: 4},
		{name: "AVX512", width: 8, wide: true},
	} {
		k.tanh()
		k.exp()
		k.ln()
		k.classicVector()
		k.classicJudge(true)
		k.classicJudge(false)
	}
	classicChain(true)
	classicChain(false)
	classicFew()
	build.Generate()
}
