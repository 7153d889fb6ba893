//go:build !opus

package codec

const opusBuilt = false

func newOpusEncoder() Encoder { return nil }

func newOpusDecoder() Decoder { return nil }
