// Package windtunnel plays scenarios with many controllers and seeds, on all
// cores, and shows what came of it: as a table, as JSON, as a score sheet in
// Markdown, and as a report in one HTML file. It is what atrion-node windtunnel
// runs.
//
// Everything it writes but the progress bar depends on the plan alone: not on
// the machine, the date, or how many runs happen at a time.
package windtunnel
