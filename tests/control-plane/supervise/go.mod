// A small parent for the programs of a test: they end when the test ends,
// however it ends. Standard library only.
module strata-operator.dev/tests/control-plane/supervise

go 1.26.0
