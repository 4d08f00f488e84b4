// Replay ends as vLLM did: it prints the recorded log that REPLAY_LOG names, says when it ends to
// the nanosecond, and exits with code 1. Like vLLM it says nothing at first, so that a run that
// was started again is told from the one before. Its arguments, those of vLLM, do not matter.
package main

import (
	"fmt"
	"os"
	"path/filepath"
	"time"
)

func main() {
	text, err := os.ReadFile(filepath.Join("/logs", filepath.Base(os.Getenv("REPLAY_LOG"))))
	if err != nil {
		fmt.Println(err)
		os.Exit(3)
	}
	time.Sleep(2 * time.Second)
	os.Stdout.Write(text)
	fmt.Printf("replay ends at %d\n", time.Now().UnixNano())
	os.Exit(1)
}
