package main

// The records of the topics. An enum is a string: a symbol that this program's schema does not know is its default.

type DeliveryReceipt struct {
	EventID            string            `avro:"eventId" json:"eventId"`
	Source             string            `avro:"source" json:"source"`
	Provider           string            `avro:"provider" json:"provider"`
	MessageID          string            `avro:"messageId" json:"messageId"`
	Recipient          *string           `avro:"recipient" json:"recipient"`
	Sender             *string           `avro:"sender" json:"sender"`
	Status             string            `avro:"status" json:"status"`
	Final              bool              `avro:"final" json:"final"`
	ProviderStatus     string            `avro:"providerStatus" json:"providerStatus"`
	ProviderStatusText *string           `avro:"providerStatusText" json:"providerStatusText"`
	ErrorCode          *string           `avro:"errorCode" json:"errorCode"`
	OccurredAt         *Millis           `avro:"occurredAt" json:"occurredAt"`
	ReceivedAt         Millis            `avro:"receivedAt" json:"receivedAt"`
	Via                string            `avro:"via" json:"via"`
	Raw                map[string]string `avro:"raw" json:"raw"`
	ClientReference    *string           `avro:"clientReference" json:"clientReference"`
	Network            *string           `avro:"network" json:"network"`
	Segments           *int              `avro:"segments" json:"segments"`
	Price              *Price            `avro:"price" json:"price"`
	Part               *Part             `avro:"part" json:"part"`
}

type InboundMessage struct {
	EventID         string            `avro:"eventId" json:"eventId"`
	Source          string            `avro:"source" json:"source"`
	Provider        string            `avro:"provider" json:"provider"`
	MessageID       *string           `avro:"messageId" json:"messageId"`
	Sender          string            `avro:"sender" json:"sender"`
	Recipient       *string           `avro:"recipient" json:"recipient"`
	Text            string            `avro:"text" json:"text"`
	Keyword         *string           `avro:"keyword" json:"keyword"`
	InReplyTo       *string           `avro:"inReplyTo" json:"inReplyTo"`
	OccurredAt      *Millis           `avro:"occurredAt" json:"occurredAt"`
	ReceivedAt      Millis            `avro:"receivedAt" json:"receivedAt"`
	Via             string            `avro:"via" json:"via"`
	Raw             map[string]string `avro:"raw" json:"raw"`
	Part            *Part             `avro:"part" json:"part"`
	ClientReference *string           `avro:"clientReference" json:"clientReference"`
	Network         *string           `avro:"network" json:"network"`
	OptOut          *string           `avro:"optOut" json:"optOut"`
}

type DeadLetter struct {
	EventID    string            `avro:"eventId" json:"eventId"`
	Source     string            `avro:"source" json:"source"`
	Provider   string            `avro:"provider" json:"provider"`
	Via        string            `avro:"via" json:"via"`
	Reason     string            `avro:"reason" json:"reason"`
	Detail     string            `avro:"detail" json:"detail"`
	ReceivedAt Millis            `avro:"receivedAt" json:"receivedAt"`
	Request    map[string]string `avro:"request" json:"request"`
	Body       []byte            `avro:"body" json:"body"`
	Part       int               `avro:"part" json:"part"`
	Parts      int               `avro:"parts" json:"parts"`
}

type Price struct {
	Amount   string  `avro:"amount" json:"amount"`
	Currency *string `avro:"currency" json:"currency"`
}

type Part struct {
	Reference string `avro:"reference" json:"reference"`
	Number    int    `avro:"number" json:"number"`
	Total     int    `avro:"total" json:"total"`
}

// Millis is a time in milliseconds since 1970-01-01T00:00:00Z.
type Millis = int64
