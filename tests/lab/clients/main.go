// Asks for the URL that is its argument, as the environment says.
package main

import (
	"net/http"
	"os"
	"time"
)

func main() {
	client := http.Client{Timeout: 5 * time.Second}
	answer, err := client.Get(os.Args[1])
	if err != nil {
		os.Exit(1)
	}
	answer.Body.Close()
}
