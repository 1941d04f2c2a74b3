package windtunnel

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// grid is a table as text, its first row the heads.
type grid [][]string

// write aligns the columns: the first and the last to the left, where words
// are, the others to the right.
func (g grid) write(out io.Writer) {
	var widths []int
	for _, row := range g {
		for k, cell := range row {
			if k == len(widths) {
				widths = append(widths, 0)
			}
			widths[k] = max(widths[k], utf8.RuneCountInString(cell))
		}
	}
	for _, row := range g {
		var line strings.Builder
		for k, cell := range row {
			pad := strings.Repeat(" ", widths[k]-utf8.RuneCountInString(cell))
			line.WriteString("  ")
			if k == 0 || g.Words(k) {
				line.WriteString(cell + pad)
			} else {
				line.WriteString(pad + cell)
			}
		}
		fmt.Fprintln(out, strings.TrimRight(line.String(), " "))
	}
}

// Words tells whether a column holds words.
func (g grid) Words(k int) bool {
	head := g[0][k]
	return head == "verdict" || head == "best rival" || head == "worst case"
}

// markdown writes the table as Markdown.
func (g grid) markdown(out io.Writer) {
	for n, row := range g {
		escaped := make([]string, len(row))
		for k, cell := range row {
			escaped[k] = strings.ReplaceAll(strings.ReplaceAll(cell, "|", `\|`), "*", `\*`)
		}
		fmt.Fprintf(out, "| %s |\n", strings.Join(escaped, " | "))
		if n == 0 {
			rule := make([]string, len(row))
			for k := range row {
				if rule[k] = "--:"; k == 0 || g.Words(k) {
					rule[k] = "---"
				}
			}
			fmt.Fprintf(out, "|%s|\n", strings.Join(rule, "|"))
		}
	}
}
