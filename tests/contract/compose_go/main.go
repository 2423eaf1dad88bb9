// Checks a Compose file against the Compose specification's JSON schema and loads it as Docker Compose would.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/compose-spec/compose-go/v2/cli"
)

func main() {
	invented := []string{"FRONTDESK_CLICKHOUSE_PASSWORD=invented", "FRONTDESK_GRAFANA_PASSWORD=invented", "FRONTDESK_PAGE_TOKEN=invented"}
	options, err := cli.NewProjectOptions([]string{os.Args[1]}, cli.WithEnv(invented), cli.WithProfiles([]string{"*"}))
	if err == nil {
		_, err = options.LoadProject(context.Background())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
