//go:build !linux

package main

// Only Linux has loop devices.
func loops() map[int]bool        { return nil }
func removeLoops(_ map[int]bool) {}
