package main

import (
	"fmt"
	"os"
	"os/exec"
	"syscall"
)

// initialise is the first process of a PID namespace: it runs supervise as its
// only program, waits for whatever loses its parent, and ends with supervise. The
// kernel then kills everything else in the namespace.
func initialise(group string) error {
	if group != "" {
		if err := joinGroup(group); err != nil {
			return fmt.Errorf("cannot make the control group %s: %w", group, err)
		}
	}
	own, err := os.Executable()
	if err != nil {
		return err
	}
	command := exec.Command(own)
	command.Stdin, command.Stdout, command.Stderr = os.Stdin, os.Stdout, os.Stderr
	command.SysProcAttr = dieWithParent()
	if err := command.Start(); err != nil {
		return err
	}
	// Its copies of the pipes would keep them open.
	os.Stdin.Close()
	os.Stdout.Close()
	for {
		ended, err := syscall.Wait4(-1, nil, 0, nil)
		if err == syscall.EINTR {
			continue
		}
		if err != nil || ended == command.Process.Pid {
			return err
		}
	}
}
