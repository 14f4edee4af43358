// Prints the records of the three topics, one JSON object in a line, until SIGTERM or SIGINT.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/hamba/avro/v2"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sr"
)

var (
	dlrTopic        = env("DLR_TOPIC", "sms.dlr")
	moTopic         = env("MO_TOPIC", "sms.mo")
	deadLetterTopic = env("DEAD_LETTER_TOPIC", "sms.dead-letter")
)

// line is what is printed of a record.
type line struct {
	Topic     string            `json:"topic"`
	Partition int32             `json:"partition"`
	Offset    int64             `json:"offset"`
	Timestamp int64             `json:"timestamp"`
	Key       string            `json:"key"`
	Headers   map[string]string `json:"headers"`
	Value     any               `json:"value"`
	Outcome   string            `json:"outcome,omitempty"`
}

// partition identifies a partition of a topic.
type partition struct {
	topic  string
	number int32
}

type program struct {
	decoder *decoder
	joiners map[partition]*DeadLetterJoiner
	output  *json.Encoder
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	registry, err := sr.NewClient(sr.URLs(env("SCHEMA_REGISTRY_URL", "http://localhost:8081")))
	exitOn(err)
	decoder, err := newDecoder(registry, env("SCHEMAS", "../../../schemas"))
	exitOn(err)
	output := json.NewEncoder(os.Stdout)
	output.SetEscapeHTML(false)
	p := &program{decoder, map[partition]*DeadLetterJoiner{}, output}

	client, err := kgo.NewClient(
		kgo.SeedBrokers(strings.Split(env("KAFKA_BROKERS", "localhost:9092"), ",")...),
		kgo.ConsumerGroup(env("GROUP_ID", "sms-example-go")),
		kgo.ConsumeTopics(dlrTopic, moTopic, deadLetterTopic),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.DisableAutoCommit(),
		// No partition is revoked between a poll and the commit of what it returned.
		kgo.BlockRebalanceOnPoll(),
		kgo.OnPartitionsRevoked(p.forget),
		kgo.OnPartitionsLost(p.forget),
	)
	exitOn(err)
	defer client.CloseAllowingRebalance()
	for ctx.Err() == nil {
		fetches := client.PollFetches(ctx)
		if ctx.Err() != nil {
			break
		}
		fetches.EachError(func(topic string, number int32, err error) { exitOn(fmt.Errorf("%s/%d: %w", topic, number, err)) })
		fetches.EachPartition(func(fetch kgo.FetchTopicPartition) {
			if len(fetch.Records) > 0 {
				exitOn(p.handle(ctx, client, fetch.Records))
			}
		})
		client.AllowRebalance()
	}
}

// handle prints records of one partition, and commits the offset behind them.
func (p *program) handle(ctx context.Context, client *kgo.Client, records []*kgo.Record) error {
	last := records[len(records)-1]
	place := partition{last.Topic, last.Partition}
	joiner := p.joiners[place]
	if joiner == nil {
		joiner = &DeadLetterJoiner{}
		p.joiners[place] = joiner
	}
	for _, record := range records {
		value, err := p.decoder.decode(ctx, record)
		if err != nil {
			return err
		}
		if letter, isLetter := value.(*DeadLetter); isLetter {
			whole := joiner.Add(letter, record.Offset)
			if whole == nil {
				continue
			}
			value = whole
		}
		if err := p.print(record, value); err != nil {
			return err
		}
	}
	next := kgo.EpochOffset{Epoch: last.LeaderEpoch, Offset: last.Offset + 1}
	if offset, isWaiting := joiner.FirstOpenOffset(); isWaiting {
		next = kgo.EpochOffset{Epoch: -1, Offset: offset}
	}
	offsets := map[string]map[int32]kgo.EpochOffset{place.topic: {place.number: next}}
	client.CommitOffsetsSync(context.WithoutCancel(ctx), offsets, nil)
	return nil
}

func (p *program) print(record *kgo.Record, value any) error {
	printed := line{
		Topic:     record.Topic,
		Partition: record.Partition,
		Offset:    record.Offset,
		Timestamp: record.Timestamp.UnixMilli(),
		Key:       string(record.Key),
		Headers:   map[string]string{},
		Value:     value,
	}
	for _, header := range record.Headers {
		printed.Headers[header.Key] = string(header.Value)
	}
	if receipt, isReceipt := value.(*DeliveryReceipt); isReceipt {
		printed.Outcome = outcomeOf(receipt)
	}
	return p.output.Encode(printed)
}

// forget drops the parts that were waiting in partitions that another member reads from now on. It reads them again.
func (p *program) forget(_ context.Context, _ *kgo.Client, revoked map[string][]int32) {
	for topic, numbers := range revoked {
		for _, number := range numbers {
			delete(p.joiners, partition{topic, number})
		}
	}
}

func outcomeOf(receipt *DeliveryReceipt) string {
	switch receipt.Status {
	case "DELIVERED":
		return "delivered"
	case "EXPIRED", "DELETED", "UNDELIVERABLE", "REJECTED", "SKIPPED":
		return "failed"
	}
	// UNKNOWN also stands for every status that a newer schema adds. Final holds whatever the status is.
	if receipt.Final {
		return "ended"
	}
	return "pending"
}

// decoder decodes by the schemas that this program was written for. What it does not know of a newer schema is skipped, or becomes
// the default.
type decoder struct {
	registry *sr.Client
	readers  map[string]avro.Schema
	// The schemas of writers, made fit for those of the readers, by topic and id.
	resolved map[string]map[int]avro.Schema
}

func newDecoder(registry *sr.Client, folder string) (*decoder, error) {
	files := map[string]string{
		dlrTopic:        "delivery-receipt.avsc",
		moTopic:         "inbound-message.avsc",
		deadLetterTopic: "dead-letter.avsc",
	}
	d := &decoder{registry, map[string]avro.Schema{}, map[string]map[int]avro.Schema{}}
	for topic, file := range files {
		schema, err := parseFile(filepath.Join(folder, file))
		if err != nil {
			return nil, err
		}
		d.readers[topic] = schema
		d.resolved[topic] = map[int]avro.Schema{}
	}
	return d, nil
}

func (d *decoder) decode(ctx context.Context, record *kgo.Record) (any, error) {
	var header sr.ConfluentHeader
	id, encoded, err := header.DecodeID(record.Value)
	if err != nil {
		return nil, err
	}
	schema := d.resolved[record.Topic][id]
	if schema == nil {
		writer, err := d.registry.SchemaByID(ctx, id)
		if err != nil {
			return nil, err
		}
		if schema, err = resolve(d.readers[record.Topic], writer.Schema); err != nil {
			return nil, err
		}
		d.resolved[record.Topic][id] = schema
	}
	var value any
	switch record.Topic {
	case dlrTopic:
		value = &DeliveryReceipt{}
	case moTopic:
		value = &InboundMessage{}
	default:
		value = &DeadLetter{}
	}
	return value, avro.Unmarshal(schema, encoded, value)
}

// The schemas have types of the same names, so each is parsed with a cache of its own.
func parse(schema string) (avro.Schema, error) {
	return avro.ParseWithCache(schema, "", &avro.SchemaCache{})
}

func parseFile(path string) (avro.Schema, error) {
	schema, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return parse(string(schema))
}

func resolve(reader avro.Schema, writer string) (avro.Schema, error) {
	parsed, err := parse(writer)
	if err != nil {
		return nil, err
	}
	return avro.NewSchemaCompatibility().Resolve(reader, parsed)
}

func env(name, fallback string) string {
	if value := os.Getenv(name); value != "" {
		return value
	}
	return fallback
}

func exitOn(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
