package main

import (
	"bytes"
	"slices"
)

// DeadLetterJoiner joins the parts of dead letters that were too large for one record. It joins those in one partition, which holds
// all parts of a dead letter, because they have the same key. Its zero value is ready for use.
type DeadLetterJoiner struct {
	// In the order of their first offsets.
	open []*openLetter
}

type openLetter struct {
	eventID     string
	firstOffset int64
	parts       int
	bodies      map[int][]byte
}

// Add returns the letter with its whole body if this part completes it, else nil.
func (j *DeadLetterJoiner) Add(letter *DeadLetter, offset int64) *DeadLetter {
	if letter.Parts == 1 {
		return letter
	}
	isOpen := func(open *openLetter) bool { return open.eventID == letter.EventID }
	place := slices.IndexFunc(j.open, isOpen)
	if place < 0 || j.open[place].parts != letter.Parts {
		if letter.Part != 0 {
			// Retention has deleted the beginning of this letter, or this part is there a second time.
			return nil
		}
		j.open = slices.DeleteFunc(j.open, isOpen)
		j.open = append(j.open, &openLetter{letter.EventID, offset, letter.Parts, map[int][]byte{}})
		place = len(j.open) - 1
	}
	bodies := j.open[place].bodies
	bodies[letter.Part] = letter.Body
	if len(bodies) < letter.Parts {
		return nil
	}
	j.open = slices.Delete(j.open, place, place+1)
	var body bytes.Buffer
	for part := range letter.Parts {
		body.Write(bodies[part])
	}
	whole := *letter
	whole.Body = body.Bytes()
	return &whole
}

// FirstOpenOffset returns the offset of the first part that waits for others. A consumer commits no offset behind it.
func (j *DeadLetterJoiner) FirstOpenOffset() (offset int64, isWaiting bool) {
	if len(j.open) == 0 {
		return 0, false
	}
	return j.open[0].firstOffset, true
}
