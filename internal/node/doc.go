// Package node is the daemon and the command line around it: configuration,
// start, drain, monitoring, and the subcommands of atrion-node.
package node
