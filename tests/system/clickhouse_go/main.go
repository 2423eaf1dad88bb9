// Talks to ClickHouse through clickhouse-go v2 as its users do, and says on the last line that all was well.
//
//	go run . ADDRESS none|lz4|zstd
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

const rows = 50_000

var methods = map[string]clickhouse.CompressionMethod{
	"none": clickhouse.CompressionNone, "lz4": clickhouse.CompressionLZ4, "zstd": clickhouse.CompressionZSTD,
}

func main() {
	if err := run(os.Args[1], os.Args[2]); err != nil {
		fmt.Println("failed:", err)
		os.Exit(1)
	}
	fmt.Println("all well")
}

func open(address, compression, password string) (driver.Conn, error) {
	return clickhouse.Open(&clickhouse.Options{
		Addr:        []string{address},
		Auth:        clickhouse.Auth{Username: "default", Password: password},
		Compression: &clickhouse.Compression{Method: methods[compression]},
	})
}

func run(address, compression string) error {
	conn, err := open(address, compression, "")
	if err != nil {
		return err
	}
	defer conn.Close()
	ctx := context.Background()
	table := "go_" + compression
	for name, step := range map[string]func() error{
		"insert and select": func() error { return insertAndSelect(ctx, conn, table) },
		"empty result":      func() error { return emptyResult(ctx, conn) },
		"settings":          func() error { return settings(ctx, conn) },
		"error code":        func() error { return errorCode(ctx, conn) },
		"cancel":            func() error { return cancelled(ctx, conn, table) },
		"password":          func() error { return wrongPassword(ctx, address, compression) },
	} {
		if err := step(); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

func insertAndSelect(ctx context.Context, conn driver.Conn, table string) error {
	columns := "a UInt64, b String, c LowCardinality(String), d Nullable(Int32), e Array(String), f Map(String, UInt8), g DateTime64(3, 'UTC')"
	if err := conn.Exec(ctx, "CREATE OR REPLACE TABLE "+table+" ("+columns+") ENGINE = MergeTree ORDER BY a"); err != nil {
		return err
	}
	batch, err := conn.PrepareBatch(ctx, "INSERT INTO "+table)
	if err != nil {
		return err
	}
	at := time.Date(2026, 3, 8, 10, 0, 0, 0, time.UTC)
	for n := uint64(0); n < rows; n++ {
		if err := batch.Append(n, fmt.Sprint("b", n), "c", nil, []string{"x", "y"}, map[string]uint8{"k": 1}, at); err != nil {
			return err
		}
	}
	if err := batch.Send(); err != nil {
		return err
	}
	return selectAll(ctx, conn, table, at)
}

func selectAll(ctx context.Context, conn driver.Conn, table string, at time.Time) error {
	result, err := conn.Query(ctx, "SELECT * FROM "+table+" ORDER BY a")
	if err != nil {
		return err
	}
	defer result.Close()
	count := uint64(0)
	for result.Next() {
		var (
			a    uint64
			b, c string
			d    *int32
			e    []string
			f    map[string]uint8
			g    time.Time
		)
		if err := result.Scan(&a, &b, &c, &d, &e, &f, &g); err != nil {
			return err
		}
		if a != count || b != fmt.Sprint("b", a) || c != "c" || d != nil || len(e) != 2 || f["k"] != 1 || !g.Equal(at) {
			return fmt.Errorf("row %d came back as %v %v %v %v %v %v %v", count, a, b, c, d, e, f, g)
		}
		count++
	}
	if count != rows {
		return fmt.Errorf("%d rows of %d", count, rows)
	}
	return result.Err()
}

func emptyResult(ctx context.Context, conn driver.Conn) error {
	result, err := conn.Query(ctx, "SELECT toUInt8(1) AS one WHERE 0")
	if err != nil {
		return err
	}
	defer result.Close()
	if result.Next() || len(result.Columns()) != 1 {
		return fmt.Errorf("columns %v", result.Columns())
	}
	return result.Err()
}

func settings(ctx context.Context, conn driver.Conn) error {
	var value uint64
	ctx = clickhouse.Context(ctx, clickhouse.WithSettings(clickhouse.Settings{"max_block_size": 77}))
	if err := conn.QueryRow(ctx, "SELECT toUInt64(getSetting('max_block_size'))").Scan(&value); err != nil {
		return err
	}
	if value != 77 {
		return fmt.Errorf("%d", value)
	}
	return nil
}

func errorCode(ctx context.Context, conn driver.Conn) error {
	err := conn.Exec(ctx, "SELECT * FROM nowhere")
	var exception *clickhouse.Exception
	if errors.As(err, &exception) && exception.Code == 60 || err != nil && strings.Contains(err.Error(), "60") {
		return nil
	}
	return fmt.Errorf("%v", err)
}

func cancelled(ctx context.Context, conn driver.Conn, table string) error {
	short, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	mark := "to cancel " + table
	if err := conn.Exec(short, "SELECT sum(sleepEachRow(1)), '"+mark+"' FROM numbers(600) SETTINGS max_block_size = 1"); err == nil {
		return errors.New("a query that ought to have been cancelled ended well")
	}
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		var left uint64
		question := "SELECT count() FROM system.processes WHERE position(query, '" + mark + "') > 0 AND position(query, 'system.processes') = 0"
		if err := conn.QueryRow(ctx, question).Scan(&left); err != nil {
			return err
		}
		if left == 0 {
			return nil
		}
	}
	return errors.New("the query goes on")
}

func wrongPassword(ctx context.Context, address, compression string) error {
	conn, err := open(address, compression, "wrong")
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := conn.Ping(ctx); err == nil || !strings.Contains(err.Error(), "516") {
		return fmt.Errorf("%v", err)
	}
	return nil
}
