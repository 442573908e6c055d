// Command probe is what containers of tests run: each order does one thing that a
// container can do well or badly, prints what came of it, and ends with 1 if it
// did not work.
//
//	probe serve PORT TEXT       answer every request with TEXT, until SIGTERM
//	probe ask URL               print the answer to a request
//	probe connect HOST:PORT     say whether a connection can be made: open, refused, or no answer
//	probe write FILE TEXT       write a file
//	probe read FILE             print a file
//	probe fill FILE MIB         write that much to a file
//	probe hold MIB              use that much memory, until SIGTERM
//	probe say TEXT CODE         print TEXT, write it as the termination message, end with CODE
//	probe wait                  do nothing, until SIGTERM
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"
)

// patience is how long an answer may take.
const patience = 3 * time.Second

func main() {
	if err := obey(os.Args[1:]); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
}

func obey(words []string) error {
	word := func(n int) string {
		if n < len(words) {
			return words[n]
		}
		return ""
	}
	switch word(0) {
	case "serve":
		return serve(word(1), word(2))
	case "ask":
		return ask(word(1))
	case "connect":
		return connect(word(1))
	case "write":
		return os.WriteFile(word(1), []byte(word(2)+"\n"), 0o644)
	case "read":
		text, err := os.ReadFile(word(1))
		fmt.Print(string(text))
		return err
	case "fill":
		return fill(word(1), word(2))
	case "hold":
		return hold(word(1))
	case "say":
		return say(word(1), word(2))
	case "wait":
		wait()
		return nil
	}
	return fmt.Errorf("unknown order: %q", words)
}

// wait returns when the container is asked to end.
func wait() {
	ending, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	<-ending.Done()
}

func serve(port, text string) error {
	server := &http.Server{Addr: ":" + port, Handler: http.HandlerFunc(
		func(answer http.ResponseWriter, request *http.Request) {
			fmt.Printf("%s %s from %s\n", request.Method, request.URL.Path, request.RemoteAddr)
			fmt.Fprintln(answer, text)
		})}
	go func() {
		wait()
		_ = server.Shutdown(context.Background())
	}()
	fmt.Printf("serving %q at :%s\n", text, port)
	if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

func ask(url string) error {
	client := &http.Client{Timeout: patience}
	answer, err := client.Get(url)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	fmt.Print(string(body))
	if err == nil && answer.StatusCode != http.StatusOK {
		return errors.New(answer.Status)
	}
	return err
}

func connect(address string) error {
	connection, err := net.DialTimeout("tcp", address, patience)
	var network net.Error
	switch {
	case err == nil:
		fmt.Println("open")
		return connection.Close()
	case errors.As(err, &network) && network.Timeout():
		return errors.New("no answer")
	case errors.Is(err, syscall.ECONNREFUSED):
		return errors.New("refused")
	}
	return err
}

func fill(path, size string) error {
	mebibytes, err := strconv.Atoi(size)
	if err != nil {
		return err
	}
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	defer file.Close()
	block := make([]byte, 1<<20)
	for written := range mebibytes {
		if _, err := file.Write(block); err != nil {
			return fmt.Errorf("after %d MiB: %w", written, err)
		}
	}
	return file.Sync()
}

func hold(size string) error {
	mebibytes, err := strconv.Atoi(size)
	if err != nil {
		return err
	}
	var held [][]byte
	for range mebibytes {
		block := make([]byte, 1<<20)
		for at := 0; at < len(block); at += 4096 {
			block[at] = 1
		}
		held = append(held, block)
	}
	fmt.Printf("holding %d MiB\n", len(held))
	wait()
	return nil
}

func say(text, code string) error {
	number, err := strconv.Atoi(code)
	if err != nil {
		return err
	}
	fmt.Println(text)
	// Only a container has one.
	_ = os.WriteFile("/dev/termination-log", []byte(text), 0o644)
	os.Exit(number)
	return nil
}
