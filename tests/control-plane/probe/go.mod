// A small program for containers of tests: it serves, asks, writes and uses
// memory. Standard library only.
module strata-operator.dev/tests/control-plane/probe

go 1.26.0
