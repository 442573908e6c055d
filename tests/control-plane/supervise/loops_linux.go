package main

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// removeLoop is the order to the kernel to forget a loop device that nothing uses.
const removeLoop = 0x4C81

// loops are the numbers of the loop devices that there are.
func loops() map[int]bool {
	found := map[int]bool{}
	devices, _ := filepath.Glob("/sys/block/loop*")
	for _, device := range devices {
		if number, err := strconv.Atoi(strings.TrimPrefix(filepath.Base(device), "loop")); err == nil {
			found[number] = true
		}
	}
	return found
}

// removeLoops forgets those that were not there before. The kernel makes a new one
// when all are in use, and keeps it; one that is in use is not removed.
func removeLoops(before map[int]bool) {
	control, err := os.OpenFile("/dev/loop-control", os.O_RDWR, 0)
	if err != nil {
		return
	}
	defer control.Close()
	for deadline := time.Now().Add(patience / 6); ; time.Sleep(50 * time.Millisecond) {
		busy := false
		for number := range loops() {
			if !before[number] {
				_, _, failed := syscall.Syscall(syscall.SYS_IOCTL, control.Fd(), removeLoop, uintptr(number))
				busy = busy || failed != 0
			}
		}
		if !busy || time.Now().After(deadline) {
			return
		}
	}
}
