package main

import "syscall"

// dieWithParent makes the kernel kill a program when supervise dies, and keeps
// the terminal's Ctrl-C away from it: it is for the test to end it.
func dieWithParent() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
}
