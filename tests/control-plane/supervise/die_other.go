//go:build !linux

package main

import "syscall"

// dieWithParent keeps the terminal's Ctrl-C away from a program. Only Linux can
// also end it when supervise is killed.
func dieWithParent() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true}
}
