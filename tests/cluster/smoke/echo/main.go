// Echo answers with the name of its pod, and fetches an address on request, as seen from inside a pod.
package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"time"
)

func main() {
	client := http.Client{Timeout: 5 * time.Second}
	http.HandleFunc("/fetch", func(answer http.ResponseWriter, request *http.Request) {
		got, err := client.Get(request.URL.Query().Get("url"))
		if err != nil {
			http.Error(answer, err.Error(), http.StatusBadGateway)
			return
		}
		defer got.Body.Close()
		answer.WriteHeader(got.StatusCode)
		io.Copy(answer, got.Body)
	})
	http.HandleFunc("/write", func(answer http.ResponseWriter, request *http.Request) {
		path := request.URL.Query().Get("path")
		if err := os.WriteFile(path, []byte("written\n"), 0o644); err != nil {
			http.Error(answer, err.Error(), http.StatusInternalServerError)
		}
	})
	http.HandleFunc("/", func(answer http.ResponseWriter, _ *http.Request) {
		name, _ := os.Hostname()
		fmt.Fprintln(answer, name)
	})
	fmt.Println("listening")
	fmt.Println(http.ListenAndServe(":8080", nil))
}
